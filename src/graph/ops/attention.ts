import { broadcastShapes } from '../size.js';
import { apply, type Primitive, type Value } from '../value.js';
import { multiply, requireDtype, subtract } from './elementwise.js';
import { matmul } from './matrix.js';
import { reduceTo, sum } from './reduction.js';

export const attentionPrimitives = {
  /**
   * Two outputs: softmax(scores) · values, and the softmax that its gradient reuses. In the gradient of the scores the
   * sum over keys of weight · gradient is taken as that over columns of result · gradient, which are fewer
   * (Dao et al., "FlashAttention", NeurIPS 2022, appendix B.2).
   */
  attend: {
    name: 'attend',
    infer: ([scores, values]) => {
      requireDtype(scores, 'float32');
      requireDtype(values, 'float32');
      if (scores.shape.length < 2 || values.shape.length < 2) throw new Error('both need at least two axes');
      if (scores.shape.at(-1) !== values.shape.at(-2))
        throw new Error(`${scores.shape.at(-1)} keys have ${values.shape.at(-2)} values`);
      const batch = broadcastShapes(scores.shape.slice(0, -2), values.shape.slice(0, -2));
      if (batch === undefined) throw new Error('leading sizes do not broadcast');
      return [
        { dtype: 'float32', shape: [...batch, scores.shape.at(-2)!, values.shape.at(-1)!] },
        { dtype: 'float32', shape: scores.shape },
      ];
    },
    lower: (lowering, [scores, values], [mixed, weights]) => {
      lowering.emit('Softmax', [scores], { axis: -1 }, [weights]);
      lowering.emit('MatMul', [weights, values], undefined, [mixed]);
    },
    gradient: ({ inputs: [scores, values], outputs: [mixed, weights] }, [g]) => {
      const ofWeights = reduceTo(matmul(g!, values, { transposeB: true }), scores.shape);
      const projection = reduceTo(sum(multiply(g!, mixed), [-1], { keepSizes: true }), [
        ...scores.shape.slice(0, -1),
        1,
      ]);
      return [
        multiply(weights, subtract(ofWeights, projection)),
        reduceTo(matmul(weights, g!, { transposeA: true }), values.shape),
      ];
    },
  } satisfies Primitive,
};

/**
 * Rows of values float32[…, keys, width] mixed by the softmax over the keys of scores float32[…, queries, keys]:
 * float32[…, queries, width].
 */
export const attend = (scores: Value, values: Value): Value =>
  apply(attentionPrimitives.attend, [scores, values], {})[0];
