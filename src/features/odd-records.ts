/** Records that no feature describes: their rows are zeros. */
import type { FeatureSet } from './feature-set.js';

/** How many rows float32[records, dimension] are zeros alone. */
export function zeroRows(rows: Float32Array, dimension: number): number {
  let count = 0;
  for (let start = 0; start < rows.length; start += dimension)
    if (rows.subarray(start, start + dimension).every((value) => value === 0)) count++;
  return count;
}

/** A sentence of records whose features are zeros alone; undefined for none. `done` says what is done with them. */
export const describeZeros = (count: number, { zeros }: FeatureSet, done: string): string | undefined =>
  count === 0 || zeros === undefined
    ? undefined
    : `${count.toLocaleString('en-US')} ${count === 1 ? 'record holds' : 'records hold'} ${zeros}; their features are 0, and they are ${done} all the same`;

/** Records without features that were met, and the set that describes none of them. */
export class OddRecords {
  private count = 0;
  private set: FeatureSet | undefined;

  add(count: number, set: FeatureSet): void {
    this.count += count;
    this.set ??= set;
  }

  /** A sentence; undefined for none. */
  summary(done: string): string | undefined {
    return this.set && describeZeros(this.count, this.set, done);
  }
}
