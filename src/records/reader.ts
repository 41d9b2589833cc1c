/** What every format provides, and the pieces several of them share. */

import { listed } from '../errors.js';
import type { Reject } from './bad-records.js';
import { strays } from './cells/strays.js';
import type { ColumnInfo, LeftOutColumn, ReadOptions, RecordBatch } from './record-batch.js';

/** One opened file of one format. `open-source.ts` makes a DataSource of it. */
export interface Reader {
  readonly columns: readonly ColumnInfo[];
  readonly leftOut?: readonly LeftOutColumn[];
  /** See `DataSource`. */
  readonly dialect?: string;
  readonly notes?: readonly string[];
  readonly missing?: readonly string[];
  readonly found?: () => readonly string[];
  /** The line on which a record begins, counted from 1, where the format has lines and a batch does not tell. */
  readonly lineOf?: (row: number) => Promise<number>;
  /** Records in file order; `columns` is a non-empty subset, in this order, and `verbatim` names some of them. */
  read(
    columns: readonly ColumnInfo[],
    reject: Reject,
    options?: Pick<ReadOptions, 'few' | 'verbatim'>,
  ): AsyncGenerator<RecordBatch>;
}

/** A batch closes at this many records … */
export const BATCH_RECORDS = 2048;
/** … or at this many characters or bytes, so that long records do not pile up. */
export const BATCH_SIZE = 1 << 22;

/** Types of columns are decided from this many records. */
export const SAMPLE_RECORDS = 20480;

/** What a sample of a column's present cells looks like. */
export interface CellCounts {
  present: number;
  numeric: number;
  /** Digits that are no amount, such as 007. */
  codes: number;
}

/**
 * Whether a column is a number column. Up to one present cell in a hundred (and one at least, once there are ten)
 * may disagree: it is then a bad cell, not a reason to read the column as text. One code makes the column text.
 */
export function isNumeric({ present, numeric, codes }: CellCounts): boolean {
  if (numeric === 0 || codes > 0) return false;
  return present - numeric <= strays(present);
}

/** Names that are counted at most. */
const MOST_FOUND = 1000;

/**
 * Counts by name what comes up behind the sample that columns are told from, with the first example. Of several readings of
 * the same records the one that met most counts.
 */
export class LateFinds {
  readonly finds = new Map<string, { count: number; readonly example: string }>();

  /** What counts in one reading. */
  reading(): (name: string, example: string) => void {
    const counts = new Map<string, number>();
    return (name, example) => {
      let find = this.finds.get(name);
      if (!find) {
        if (this.finds.size === MOST_FOUND) return;
        find = { count: 0, example };
        this.finds.set(name, find);
      }
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      find.count = Math.max(find.count, count);
    };
  }

  /** A sentence for each name. */
  map(sentence: (name: string, find: { count: number; example: string }) => string): string[] {
    return Array.from(this.finds, ([name, find]) => sentence(name, find));
  }
}

/** Says which names of values, such as keys, are not read, as they come up behind the sample; the examples are records. */
export function lateNames(kind: string, late: LateFinds): string[] {
  if (late.finds.size === 0) return [];
  const names = late.map(
    (name, { count, example }) =>
      `${JSON.stringify(name)} (${count} ${count === 1 ? 'record' : 'records'} from ${example} on)`,
  );
  return [
    `${kind} that none of the first ${SAMPLE_RECORDS} records has are not read: ${listed(names, 6)}; write a record that has them at the beginning`,
  ];
}

/** Collects text records into batches. `flush` gives what is held, or undefined when nothing is. */
export class TextBatch {
  private rows: number[] = [];
  private cells: (string | null)[][];
  private size = 0;
  constructor(private readonly names: readonly string[]) {
    this.cells = names.map(() => []);
  }

  /** Adds a record; `values` follow the names. Returns true when the batch is full. */
  add(row: number, ...values: (string | null)[]): boolean {
    this.rows.push(row);
    for (let i = 0; i < values.length; i++) {
      this.cells[i].push(values[i]);
      this.size += values[i]?.length ?? 0;
    }
    return this.rows.length >= BATCH_RECORDS || this.size >= BATCH_SIZE;
  }

  flush(): RecordBatch | undefined {
    if (this.rows.length === 0) return undefined;
    const columns = Object.fromEntries(
      this.names.map((name, i) => [name, { type: 'text' as const, values: this.cells[i] }]),
    );
    const batch = { rows: Int32Array.from(this.rows), columns };
    this.rows = [];
    this.cells = this.names.map(() => []);
    this.size = 0;
    return batch;
  }
}
