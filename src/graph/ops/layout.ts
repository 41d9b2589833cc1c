/** The same elements in another shape or order. */
import {
  broadcastShapes,
  divideSizes,
  productOfSizes,
  type Shape,
  type Size,
  sameShape,
  staticSize,
} from '../size.js';
import { apply, type Node, type Primitive, type Value } from '../value.js';
import { reduceTo } from './reduction.js';

/** A shape as ONNX wants it at run time: numbers, and at most one -1 for a size that is only a name. */
function runtimeShape(shape: Shape, name: string): number[] {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : -1));
  if (sizes.filter((size) => size === -1).length > 1)
    throw new Error(`${name}: only one size may be unknown, got [${shape.join(', ')}]`);
  return sizes;
}

export const layout = {
  reshape: {
    name: 'reshape',
    infer: ([x], { shape }) => {
      if (productOfSizes(x.shape) !== productOfSizes(shape))
        throw new Error(
          `cannot become [${shape.join(', ')}], which has ${productOfSizes(shape)} elements instead of ${productOfSizes(x.shape)}`,
        );
      return [{ dtype: x.dtype, shape }];
    },
    lower: (lowering, [x], results, { attributes: { shape } }) => {
      lowering.emit('Reshape', [x, lowering.int64(runtimeShape(shape, 'reshape'))], undefined, results);
    },
    gradient: ({ inputs: [x] }, [g]) => [reshape(g!, x.shape)],
  } satisfies Primitive<{ shape: Shape }>,
  transpose: {
    name: 'transpose',
    infer: ([x], { permutation }) => {
      const axes = [...permutation].sort((a, b) => a - b);
      if (axes.length !== x.shape.length || axes.some((axis, index) => axis !== index))
        throw new Error(`[${permutation.join(', ')}] is not a permutation of its axes`);
      return [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis]) }];
    },
    lower: (lowering, operands, results, { attributes: { permutation } }) => {
      lowering.emit('Transpose', operands, { perm: permutation }, results);
    },
    gradient: ({ attributes: { permutation } }, [g]) => {
      const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
      return [transpose(g!, inverse)];
    },
  } satisfies Primitive<{ permutation: readonly number[] }>,
  /** Stretches sizes of 1, and adds axes on the left. */
  expand: {
    name: 'expand',
    infer: ([x], { shape }) => {
      const joined = broadcastShapes(x.shape, shape);
      if (joined === undefined || !sameShape(joined, shape))
        throw new Error(`does not stretch to [${shape.join(', ')}]`);
      return [{ dtype: x.dtype, shape }];
    },
    lower: (lowering, [x], results, { attributes: { shape } }) => {
      const sizes = lowering.int64(shape.map(staticSize));
      lowering.emit('Expand', [x, sizes], undefined, results);
    },
    gradient: ({ inputs: [x] }, [g]) => [reduceTo(g!, x.shape)],
  } satisfies Primitive<{ shape: Shape }>,
  slice: {
    name: 'slice',
    infer: ([x], { axis, start, end }) => {
      const size = staticSize(x.shape[axis] ?? 0);
      if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= size))
        throw new Error(`${start} … ${end} is not a part of axis ${axis}`);
      return [{ dtype: x.dtype, shape: x.shape.map((old, index) => (index === axis ? end - start : old)) }];
    },
    lower: (lowering, [x], results, { attributes: { axis, start, end } }) => {
      const bounds = [[start], [end], [axis]].map((values) => lowering.int64(values));
      lowering.emit('Slice', [x, ...bounds], undefined, results);
    },
    gradient: ({ inputs: [x], attributes: { axis, start, end } }, [g]) => [
      pad(g!, axis, start, staticSize(x.shape[axis]) - end),
    ],
  } satisfies Primitive<{ axis: number; start: number; end: number }>,
  pad: {
    name: 'pad',
    infer: ([x], { axis, before, after }) => {
      if (before < 0 || after < 0 || axis < 0 || axis >= x.shape.length)
        throw new Error(`cannot add ${before} and ${after} elements to axis ${axis}`);
      return [
        {
          dtype: x.dtype,
          shape: x.shape.map((size, index) => (index === axis ? staticSize(size) + before + after : size)),
        },
      ];
    },
    lower: (lowering, [x], results, { attributes: { axis, before, after }, inputs }) => {
      const rank = inputs[0].shape.length;
      const pads = new Array<number>(2 * rank).fill(0);
      pads[axis] = before;
      pads[rank + axis] = after;
      lowering.emit('Pad', [x, lowering.int64(pads)], undefined, results);
    },
    gradient: ({ inputs: [x], attributes: { axis, before } }, [g]) => [
      slice(g!, axis, before, before + staticSize(x.shape[axis])),
    ],
  } satisfies Primitive<{ axis: number; before: number; after: number }>,
  concatenate: {
    name: 'concatenate',
    infer: (inputs, { axis }) => {
      const [first, ...rest] = inputs;
      for (const x of rest) {
        if (
          x.dtype !== first.dtype ||
          x.shape.length !== first.shape.length ||
          x.shape.some((size, i) => i !== axis && size !== first.shape[i])
        )
          throw new Error(`dtypes and all sizes but that of axis ${axis} must be equal`);
      }
      const total = inputs.reduce((length, x) => length + staticSize(x.shape[axis]), 0);
      return [{ dtype: first.dtype, shape: first.shape.map((size, i) => (i === axis ? total : size)) }];
    },
    lower: (lowering, operands, results, { attributes: { axis } }) => {
      lowering.emit('Concat', operands, { axis }, results);
    },
    gradient: ({ inputs, attributes: { axis } }, [g]) => {
      let start = 0;
      return inputs.map((x) => {
        const end = start + staticSize(x.shape[axis]);
        const part = slice(g!, axis, start, end);
        start = end;
        return part;
      });
    },
  } satisfies Primitive<{ axis: number }>,
};

const isReshape = (node: Node): boolean => node.kind === 'operation' && node.primitive.name === 'reshape';

/** The same elements in row-major order under another shape. One size may be -1: what is left over. */
export function reshape(x: Value, shape: Shape): Value {
  const unknown = shape.indexOf(-1);
  const target: Size[] = [...shape];
  if (unknown >= 0) {
    const rest = productOfSizes(target.filter((_, axis) => axis !== unknown));
    target[unknown] = divideSizes(productOfSizes(x.shape), rest) ?? -1;
  }
  // Of a chain of shapes only the last one matters.
  const source = isReshape(x.node) ? x.node.inputs[0] : x;
  return sameShape(source.shape, target) ? source : apply(layout.reshape, [source], { shape: target })[0];
}

/** Axis i of the result is axis `permutation[i]` of `x`. */
export const transpose = (x: Value, permutation: readonly number[]): Value =>
  apply(layout.transpose, [x], { permutation })[0];

/** Stretches sizes of 1 to `shape`, adding axes on the left. */
export const expand = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : apply(layout.expand, [x], { shape })[0];

/** Elements `start` … `end - 1` of one axis. */
export const slice = (x: Value, axis: number, start: number, end: number): Value =>
  apply(layout.slice, [x], { axis, start, end })[0];

/** Zeros before and after one axis. */
export const pad = (x: Value, axis: number, before: number, after: number): Value =>
  before === 0 && after === 0 ? x : apply(layout.pad, [x], { axis, before, after })[0];

/** Values one after the other along an axis; their other sizes agree. */
export const concatenate = (values: readonly Value[], axis: number): Value =>
  values.length === 1 ? values[0] : apply(layout.concatenate, values, { axis })[0];
