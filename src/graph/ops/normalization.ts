/** Softmax and layer normalisation, along the last axis. */
import { staticSize } from '../size.js';
import { apply, type Primitive, type Value } from '../value.js';
import { scalar } from './constants.js';
import { exp, multiply, requireDtype, subtract } from './elementwise.js';
import { reshape } from './layout.js';
import { matmul } from './matrix.js';
import { reduceTo, sum } from './reduction.js';

const inferSame = ([x]: readonly Value[]) => {
  requireDtype(x, 'float32');
  if (x.shape.length === 0) throw new Error('needs at least one axis');
  return [{ dtype: x.dtype, shape: x.shape }];
};

export const normalization = {
  softmax: {
    name: 'softmax',
    infer: inferSame,
    lower: (lowering, operands, results) => {
      lowering.emit('Softmax', operands, { axis: -1 }, results);
    },
    gradient: ({ outputs: [y] }, [g]) => [
      multiply(y, subtract(g!, sum(multiply(g!, y), [-1], { keepSizes: true }))),
    ],
  } satisfies Primitive,
  logSoftmax: {
    name: 'logSoftmax',
    infer: inferSame,
    lower: (lowering, operands, results) => {
      lowering.emit('LogSoftmax', operands, { axis: -1 }, results);
    },
    gradient: ({ outputs: [y] }, [g]) => [subtract(g!, multiply(exp(y), sum(g!, [-1], { keepSizes: true })))],
  } satisfies Primitive,
  /** Three outputs: the result, and the mean and the inverse deviation that its gradient reuses. */
  layerNorm: {
    name: 'layerNorm',
    infer: ([x, scale, bias]) => {
      const [{ dtype, shape }] = inferSame([x]);
      for (const value of [scale, bias]) {
        if (value.dtype !== 'float32' || value.shape.length !== 1 || value.shape[0] !== shape.at(-1))
          throw new Error(`scale and bias must be float32[${shape.at(-1)}]`);
      }
      const statistics = { dtype, shape: [...shape.slice(0, -1), 1] };
      return [{ dtype, shape }, statistics, statistics];
    },
    lower: (lowering, operands, results, { attributes: { epsilon } }) => {
      lowering.emit('LayerNormalization', operands, { axis: -1, epsilon }, results);
    },
    gradient: ({ inputs: [x, scale, bias], outputs: [, center, inverseDeviation] }, [g]) => {
      const normalized = multiply(subtract(x, center), inverseDeviation);
      const product = multiply(g!, normalized);
      // The mean over a row of what is multiplied by the scale, as a product with a vector: one read, nothing written.
      const width = staticSize(scale.shape[0]);
      const column = reshape(multiply(scale, scalar(1 / width)), [width, 1]);
      const centered = subtract(multiply(g!, scale), matmul(g!, column));
      return [
        multiply(subtract(centered, multiply(normalized, matmul(product, column))), inverseDeviation),
        reduceTo(product, scale.shape),
        reduceTo(g!, bias.shape),
      ];
    },
  } satisfies Primitive<{ epsilon: number }>,
};

/** Softmax over the last axis. */
export const softmax = (x: Value): Value => apply(normalization.softmax, [x], {})[0];

/** log(softmax(x)) over the last axis, without overflow. */
export const logSoftmax = (x: Value): Value => apply(normalization.logSoftmax, [x], {})[0];

/** (x - mean) / sqrt(variance + epsilon) · scale + bias over the last axis (Ba et al., 2016). */
export const layerNorm = (x: Value, scale: Value, bias: Value, epsilon: number): Value =>
  apply(normalization.layerNorm, [x, scale, bias], { epsilon })[0];
