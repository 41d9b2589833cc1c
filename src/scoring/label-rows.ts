/** Which rows of labels and of predictions belong to a record: one row, or one for each of its tokens. */
import type { TokenBlock } from '../records/token-block.js';
import type { LabelSpec } from './labels.js';

/** int32[count + 1]: the rows of record r are `offsets[r]` … `offsets[r + 1] - 1`. */
export function labelOffsets({ task }: Pick<LabelSpec, 'task'>, { count, offsets }: TokenBlock): Int32Array {
  if (task === 'per-token') return offsets;
  return Int32Array.from({ length: count + 1 }, (_, record) => record);
}

/** The rows of some records, in that order, of values float64[rows, width]. */
export function takeLabelRows(
  values: Float64Array,
  offsets: Int32Array,
  records: ArrayLike<number>,
  width: number,
): Float64Array {
  let rows = 0;
  for (let i = 0; i < records.length; i++) rows += offsets[records[i] + 1] - offsets[records[i]];
  const taken = new Float64Array(rows * width);
  let at = 0;
  for (let i = 0; i < records.length; i++) {
    const own = values.subarray(offsets[records[i]] * width, offsets[records[i] + 1] * width);
    taken.set(own, at);
    at += own.length;
  }
  return taken;
}
