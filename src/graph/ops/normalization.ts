/** Softmax and layer normalisation along the last axis, and the moments of channels. */
import { staticSize } from '../size.js';
import { apply, type Primitive, type Value } from '../value.js';
import { scalar } from './constants.js';
import { add, divide, exp, multiply, requireDtype, subtract, zerosOf } from './elementwise.js';
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
    lower: (lowering, [x], results, { inputs }) => {
      if (lowering.device !== 'webgpu') {
        lowering.emit('LogSoftmax', [x], { axis: -1 }, results);
        return;
      }
      const axes = lowering.int64([inputs[0].shape.length - 1]);
      const [shifted] = lowering.emit('Sub', [x, ...lowering.emit('ReduceMax', [x, axes], { keepdims: 1 })]);
      const total = lowering.emit('ReduceSum', [...lowering.emit('Exp', [shifted]), axes], { keepdims: 1 });
      lowering.emit('Sub', [shifted, ...lowering.emit('Log', total)], undefined, results);
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
  /**
   * Two outputs: mean and variance of each channel. The variance is the mean square less the squared mean, which takes
   * two sums over what is read once; rounding must not make it negative.
   */
  moments: {
    name: 'moments',
    infer: ([x, count]) => {
      requireDtype(x, 'float32');
      if (x.shape.length < 2) throw new Error('the first needs a batch axis and one of channels');
      if (count.dtype !== 'float32' || count.shape.length !== 0)
        throw new Error('the count must be float32[]');
      const perChannel = { dtype: x.dtype, shape: [x.shape[1]] };
      return [perChannel, perChannel];
    },
    lower: (lowering, [x, count], [center, variance], { inputs }) => {
      const axes = lowering.int64([...inputs[0].shape.keys()].filter((axis) => axis !== 1));
      const total = (of: string) => lowering.emit('ReduceSum', [of, axes], { keepdims: 0 });
      lowering.emit('Div', [...total(x), count], undefined, [center]);
      const [meanSquare] = lowering.emit('Div', [...total(lowering.emit('Mul', [x, x])[0]), count]);
      const [squaredMean] = lowering.emit('Mul', [center, center]);
      lowering.emit('Relu', lowering.emit('Sub', [meanSquare, squaredMean]), undefined, [variance]);
    },
    gradient: ({ inputs: [x, count], outputs: [center] }, [ofMean, ofVariance]) => {
      const places = x.shape.slice(2).map(() => 1);
      const perChannel = (value: Value) => reshape(value, [...center.shape, ...places]);
      const slope = divide(multiply(ofVariance ?? zerosOf(center), scalar(2)), count);
      const offset = subtract(divide(ofMean ?? zerosOf(center), count), multiply(slope, center));
      return [add(multiply(x, perChannel(slope)), perChannel(offset)), undefined];
    },
  } satisfies Primitive,
};

/** Softmax over the last axis. */
export const softmax = (x: Value): Value => apply(normalization.softmax, [x], {})[0];

/** log(softmax(x)) over the last axis, without overflow. */
export const logSoftmax = (x: Value): Value => apply(normalization.logSoftmax, [x], {})[0];

/** (x - mean) / sqrt(variance + epsilon) · scale + bias over the last axis (Ba et al., 2016). */
export const layerNorm = (x: Value, scale: Value, bias: Value, epsilon: number): Value =>
  apply(normalization.layerNorm, [x, scale, bias], { epsilon })[0];

/**
 * Mean and variance float32[channels] of the channels of float32[batch, channels, …] over all other axes. `count` is how
 * many elements of a channel count, float32[]; the others must be 0.
 */
export function moments(x: Value, count: Value): { mean: Value; variance: Value } {
  const [mean, variance] = apply(normalization.moments, [x, count], {});
  return { mean, variance };
}
