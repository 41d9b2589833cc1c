/** Picking and placing elements by index. Indices are int32 or int64 and non-negative. */
import { sameShape, staticSize } from '../size.js';
import { apply, formatType, type Primitive, type Value } from '../value.js';
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
    lower: (lowering, operands, results, { attributes: { axis } }) => {
      lowering.emit('GatherElements', operands, { axis }, results);
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
  /** Two outputs: the k largest of the last axis in descending order, and their positions (int64). */
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
        { dtype: 'int64', shape },
      ];
    },
    lower: (lowering, [x], results, { attributes: { k } }) => {
      lowering.emit('TopK', [x, lowering.int64([k])], { axis: -1, largest: 1, sorted: 1 }, results);
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
