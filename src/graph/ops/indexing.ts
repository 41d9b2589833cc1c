/** Picking and placing elements by index. Indices are int32 or int64 and non-negative. */
import { elementCount, hostTensor } from '../../tensor/tensor.js';
import { sameShape, staticSize } from '../size.js';
import { apply, formatType, type Lowering, type Primitive, type Value } from '../value.js';
import { iota, scalar } from './constants.js';
import { cast, equal, requireDtype, zerosOf } from './elementwise.js';
import { expand, reshape } from './layout.js';
import { matmul } from './matrix.js';

/** Up to this many rows the gradient of a table lookup is one matrix product; beyond, rows are scattered. */
const ONE_HOT_ROWS = 4096;

function checkElementIndices(data: Value, indices: Value, axis: number): void {
  requireDtype(indices, 'int32', 'int64');
  if (
    indices.shape.length !== data.shape.length ||
    indices.shape.some((size, i) => i !== axis && size !== data.shape[i])
  )
    throw new Error(`indices ${formatType(indices)} must have the data's sizes but for axis ${axis}`);
}

/** GatherElements as a Gather from all elements in a row: the place of each one's own row is known, the index is added. */
function gatherFromFlat(
  lowering: Lowering,
  [data, indices]: readonly string[],
  results: readonly string[],
  [{ shape }, { dtype, shape: indexShape }]: readonly Value[],
  axis: number,
): void {
  requireInt32(dtype);
  const sizes = indexShape.map(staticSize);
  const inner = elementCount(shape.slice(axis + 1).map(staticSize));
  const length = staticSize(shape[axis]);
  const starts = Int32Array.from(
    { length: elementCount(sizes) },
    (_, i) => Math.floor(i / (sizes[axis] * inner)) * length * inner + (i % inner),
  );
  const stride = lowering.constant(hostTensor('int32', [], Int32Array.of(inner)));
  const steps = inner === 1 ? [indices] : lowering.emit('Mul', [indices, stride]);
  const places = lowering.emit('Add', [...steps, lowering.constant(hostTensor('int32', sizes, starts))]);
  const flat = lowering.emit('Reshape', [data, lowering.int64([-1])]);
  lowering.emit('Gather', [...flat, ...places], { axis: 0 }, results);
}

function requireInt32(dtype: string): void {
  if (dtype !== 'int32')
    throw new Error(`webgpu: expected indices of int32, got ${dtype}; cast them on the host`);
}

export const indexing = {
  gather: {
    name: 'gather',
    infer: ([table, indices]) => {
      requireDtype(indices, 'int32', 'int64');
      if (table.shape.length < 1) throw new Error('the table needs at least one axis');
      return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] }];
    },
    lower: (lowering, operands, results) => {
      lowering.emit('Gather', operands, { axis: 0 }, results);
    },
    gradient: ({ inputs: [table, indices] }, [g]) => {
      const rows = staticSize(table.shape[0]);
      const flatIndices = reshape(indices, [-1]);
      const flatGradient = reshape(g!, [flatIndices.shape[0], -1]);
      if (rows <= ONE_HOT_ROWS) {
        const gradient = matmul(oneHot(flatIndices, rows), flatGradient, { transposeA: true });
        return [reshape(gradient, table.shape), undefined];
      }
      const perElement = expand(reshape(flatIndices, [-1, 1]), flatGradient.shape);
      const zeros = reshape(zerosOf(table), [rows, -1]);
      return [reshape(scatterElements(zeros, perElement, flatGradient, 0, 'add'), table.shape), undefined];
    },
  } satisfies Primitive,
  gatherElements: {
    name: 'gatherElements',
    infer: ([data, indices], { axis }) => {
      checkElementIndices(data, indices, axis);
      return [{ dtype: data.dtype, shape: indices.shape }];
    },
    lower: (lowering, operands, results, { inputs, attributes: { axis } }) => {
      if (lowering.device !== 'webgpu') lowering.emit('GatherElements', operands, { axis }, results);
      else gatherFromFlat(lowering, operands, results, inputs, axis);
    },
    gradient: ({ inputs: [data, indices], attributes: { axis } }, [g]) => [
      scatterElements(zerosOf(data), indices, g!, axis, 'add'),
      undefined,
    ],
  } satisfies Primitive<{ axis: number }>,
  scatterElements: {
    name: 'scatterElements',
    infer: ([data, indices, updates], { axis }) => {
      checkElementIndices(data, indices, axis);
      if (!sameShape(indices.shape, updates.shape) || updates.dtype !== data.dtype)
        throw new Error(`updates must be ${data.dtype}[${indices.shape.join(', ')}]`);
      return [{ dtype: data.dtype, shape: data.shape }];
    },
    lower: (lowering, operands, results, { attributes: { axis, reduction } }) => {
      lowering.emit('ScatterElements', operands, { axis, reduction }, results);
    },
    gradient: ({ inputs: [, indices], attributes: { axis, reduction } }, [g]) => [
      reduction === 'add' ? g : scatterElements(g!, indices, expand(scalar(0), indices.shape), axis, 'none'),
      undefined,
      gatherElements(g!, indices, axis),
    ],
  } satisfies Primitive<{ axis: number; reduction: 'none' | 'add' }>,
  /** Two outputs: the k largest of the last axis in descending order, and their positions (int32). */
  topK: {
    name: 'topK',
    infer: ([x], { k }) => {
      requireDtype(x, 'float32');
      const size = x.shape.at(-1);
      if (size === undefined || !(Number.isInteger(k) && k >= 1 && k <= staticSize(size)))
        throw new Error(`cannot take the ${k} largest`);
      const shape = [...x.shape.slice(0, -1), k];
      return [
        { dtype: 'float32', shape },
        { dtype: 'int32', shape },
      ];
    },
    lower: (lowering, [x], [values, positions], { inputs, attributes: { k } }) => {
      const wide = `${positions}_int64`;
      const sorted = { axis: -1, largest: 1, sorted: 1 };
      lowering.emit('TopK', [x, lowering.int64([k])], sorted, [values, wide]);
      if (lowering.device !== 'webgpu') {
        lowering.emit('Cast', [wide], { to: 6 }, [positions]);
        return;
      }
      // Gather takes int64, which nothing casts there.
      const all = Int32Array.from({ length: staticSize(inputs[0].shape.at(-1)!) }, (_, i) => i);
      const table = lowering.constant(hostTensor('int32', [all.length], all));
      lowering.emit('Gather', [table, wide], { axis: 0 }, [positions]);
    },
    gradient: ({ inputs: [x], outputs: [, indices] }, [g]) => [
      g === undefined ? undefined : scatterElements(zerosOf(x), indices, g, x.shape.length - 1, 'add'),
    ],
  } satisfies Primitive<{ k: number }>,
};

/** Rows of a table: any[rows, …] and int[…] → any[…indices, …row]. */
export const gather = (table: Value, indices: Value): Value =>
  apply(indexing.gather, [table, indices], {})[0];

/** `result[…i…] = data[…indices[…i…]…]` along one axis; the other sizes agree. */
export const gatherElements = (data: Value, indices: Value, axis: number): Value =>
  apply(indexing.gatherElements, [data, indices], { axis })[0];

/**
 * A copy of `data` with `updates` written (or added) at `indices` along one axis. With reduction `'none'` the
 * indices of one row must be distinct.
 */
export const scatterElements = (
  data: Value,
  indices: Value,
  updates: Value,
  axis: number,
  reduction: 'none' | 'add',
): Value => apply(indexing.scatterElements, [data, indices, updates], { axis, reduction })[0];

/** The k largest elements of the last axis, in descending order; of equal ones, the first. */
export function topK(x: Value, k: number): { values: Value; indices: Value } {
  const [values, indices] = apply(indexing.topK, [x], { k });
  return { values, indices };
}

/** int[…] → float32[…, classes]: 1 at the index, 0 elsewhere. */
export function oneHot(indices: Value, classes: number): Value {
  const column = reshape(cast(indices, 'int32'), [...indices.shape, 1]);
  return cast(equal(column, iota(classes)), 'float32');
}
