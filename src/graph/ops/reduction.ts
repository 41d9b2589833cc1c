/** Over one or more axes. */
import { partsOfSum, productOfSizes, type Shape, staticSize } from '../size.js';
import { apply, type Primitive, type Value } from '../value.js';
import { scalar } from './constants.js';
import { cast, divide, equal, multiply, requireDtype } from './elementwise.js';
import { expand, reshape } from './layout.js';

/** What a reduction is told; its axes count from the first. */
export interface ReductionAttributes {
  readonly axes: readonly number[];
  readonly keepSizes: boolean;
  readonly [key: string]: readonly number[] | boolean;
}

function inferReduction([x]: readonly Value[], { axes, keepSizes }: ReductionAttributes) {
  requireDtype(x, 'float32');
  for (const axis of axes) {
    if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length)
      throw new Error(`there is no axis ${axis}`);
  }
  const shape = keepSizes
    ? x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : x.shape.filter((_, axis) => !axes.includes(axis));
  return [{ dtype: x.dtype, shape }];
}

const lowerReduction =
  (operator: string, axesAsInput: boolean): Primitive<ReductionAttributes>['lower'] =>
  (lowering, [x], results, { inputs: [{ shape }], attributes: { axes, keepSizes } }) => {
    const keepdims = keepSizes ? 1 : 0;
    const leading = axes.length > 0 && axes.every((axis, i) => axis === i) && !keepSizes;
    const terms = productOfSizes(shape.slice(0, axes.length));
    const parts = operator === 'ReduceSum' && lowering.device === 'webgpu' && leading ? partsOfSum(terms) : 1;
    if (parts > 1) {
      const rest = shape.slice(axes.length).map(staticSize);
      const sizes = lowering.int64([parts, Number(terms) / parts, ...rest]);
      const partial = lowering.emit('ReduceSum', [
        ...lowering.emit('Reshape', [x, sizes]),
        lowering.int64([1]),
      ]);
      lowering.emit('ReduceSum', [...partial, lowering.int64([0, 1])], { keepdims }, results);
      return;
    }
    if (axesAsInput) lowering.emit(operator, [x, lowering.int64(axes)], { keepdims }, results);
    else lowering.emit(operator, [x], { axes, keepdims }, results);
  };

/** The reduced value with its axes put back as size 1, so that it broadcasts against the operand. */
const withKeptSizes = (reduced: Value, operand: Value, axes: readonly number[]) =>
  reshape(
    reduced,
    operand.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
  );

export const reduction = {
  sum: {
    name: 'sum',
    infer: inferReduction,
    lower: lowerReduction('ReduceSum', true),
    gradient: ({ inputs: [x], attributes: { axes } }, [g]) => [expand(withKeptSizes(g!, x, axes), x.shape)],
  } satisfies Primitive<ReductionAttributes>,
  maximum: {
    name: 'maximum',
    infer: inferReduction,
    lower: lowerReduction('ReduceMax', true),
    // Shared equally among ties.
    gradient: ({ inputs: [x], outputs: [result], attributes: { axes } }, [g]) => {
      const largest = cast(equal(x, withKeptSizes(result, x, axes)), 'float32');
      const share = divide(largest, sum(largest, axes, { keepSizes: true }));
      return [multiply(share, withKeptSizes(g!, x, axes))];
    },
  } satisfies Primitive<ReductionAttributes>,
};

/** What is left of the reduced axes. */
export interface ReductionOptions {
  /** Keep the reduced axes with size 1. */
  keepSizes?: boolean;
}

const normalized = (x: Value, axes: readonly number[]) =>
  axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));

/** The sum over `axes`; negative axes count from the last. */
export function sum(x: Value, axes: readonly number[], { keepSizes = false }: ReductionOptions = {}): Value {
  return axes.length === 0 ? x : apply(reduction.sum, [x], { axes: normalized(x, axes), keepSizes })[0];
}

/** The largest value over `axes`; its gradient is shared equally among ties. */
export function maximum(
  x: Value,
  axes: readonly number[],
  { keepSizes = false }: ReductionOptions = {},
): Value {
  return apply(reduction.maximum, [x], { axes: normalized(x, axes), keepSizes })[0];
}

/** The mean over `axes`, whose sizes must be known. */
export function mean(x: Value, axes: readonly number[], options: ReductionOptions = {}): Value {
  const count = normalized(x, axes).reduce((product, axis) => product * staticSize(x.shape[axis]), 1);
  return multiply(sum(x, axes, options), scalar(1 / count));
}

/** The sum of everything: float32[]. */
export const sumAll = (x: Value): Value =>
  sum(
    x,
    x.shape.map((_, axis) => axis),
  );

/** Undoes broadcasting: sums a gradient over the axes along which a value of `shape` was stretched. */
export function reduceTo(gradient: Value, shape: Shape): Value {
  const offset = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) => {
    const target = axis < offset ? undefined : shape[axis - offset];
    return target === undefined || (target === 1 && size !== 1) ? [axis] : [];
  });
  if (axes.length === 0) return offset === 0 ? gradient : reshape(gradient, shape);
  return reshape(sum(gradient, axes), shape);
}
