/** A reader of files in which any stretch of records can be found. */
import { BATCH_RECORDS, BATCH_SIZE, type Reader } from './reader.js';
import type { ColumnInfo, ColumnValues, LeftOutColumn } from './record-batch.js';

/** Columns that are read together. */
export interface ColumnGroup {
  readonly columns: readonly ColumnInfo[];
  /** About what a record takes. */
  readonly recordBytes: number;
  /** The records from `start` up to, not including, `end`, of at least the columns that are wanted. */
  read(
    start: number,
    end: number,
    wanted: ReadonlySet<string>,
  ): Promise<Readonly<Record<string, ColumnValues>>>;
}

/** The records of groups of columns side by side; each group has as many. */
export function slicedReader(
  records: number,
  groups: readonly ColumnGroup[],
  leftOut?: readonly LeftOutColumn[],
): Reader {
  return {
    columns: groups.flatMap(({ columns }) => columns),
    leftOut,
    async *read(selected) {
      const wanted = new Set(selected.map(({ name }) => name));
      const read = groups.filter(({ columns }) => columns.some(({ name }) => wanted.has(name)));
      const bytes = read.reduce((sum, { recordBytes }) => sum + recordBytes, 0);
      const perBatch = Math.max(1, Math.min(BATCH_RECORDS, Math.floor(BATCH_SIZE / Math.max(1, bytes))));
      for (let start = 0; start < records; start += perBatch) {
        const end = Math.min(records, start + perBatch);
        const given: Record<string, ColumnValues> = {};
        for (const group of read) Object.assign(given, await group.read(start, end, wanted));
        const rows = Int32Array.from({ length: end - start }, (_, i) => start + i);
        yield { rows, columns: Object.fromEntries(selected.map(({ name }) => [name, given[name]])) };
      }
    },
  };
}

/** Lists of numbers as a column of series with one channel, float32; infinite values are missing, and so is a list that is not there. */
export function listSeries(lists: readonly (ArrayLike<number | bigint | null> | null)[]): ColumnValues {
  const offsets = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    offsets[i + 1] = offsets[i] + (list?.length ?? 0);
  });
  const values = new Float32Array(offsets[lists.length]).fill(Number.NaN);
  lists.forEach((list, i) => {
    for (let step = 0; step < (list?.length ?? 0); step++) {
      const value = Number(list![step] ?? Number.NaN);
      if (Number.isFinite(value)) values[offsets[i] + step] = value;
    }
  });
  return { type: 'series', values, offsets, channels: 1 };
}
