/** The records that a split puts in no part, counted for people. */
import { quoteCell } from '../records/bad-records.js';
import type { RecordBatch } from '../records/record-batch.js';
import type { Part } from '../records/split.js';

/** The most words that are named. */
const NAMED = 3;

export class UnassignedRecords {
  count = 0;
  private lastRow = -1;
  private readonly words = new Set<string>();

  /** `column` says the parts; without it what is left out is no molecule. */
  constructor(private readonly column: string | undefined) {}

  /** Counts those of a batch that are in no part, each once however often the source is read, but for the places `without` a label. */
  add(
    { rows, columns }: RecordBatch,
    parts: readonly (Part | undefined)[],
    without: readonly number[] = [],
  ): void {
    const passed = new Set(without);
    const cells = this.column === undefined ? undefined : columns[this.column];
    for (let place = 0; place < rows.length; place++) {
      if (parts[place] !== undefined || passed.has(place) || rows[place] <= this.lastRow) continue;
      this.count++;
      if (this.words.size > NAMED) continue;
      const cell = cells?.values[place] ?? null;
      this.words.add(cell === null || Number.isNaN(cell) ? 'empty' : quoteCell(String(cell)));
    }
    if (rows.length > 0) this.lastRow = Math.max(this.lastRow, rows[rows.length - 1]);
  }

  /** One sentence, or undefined where every record is in a part. */
  summary(): string | undefined {
    if (this.count === 0) return undefined;
    const records = `${this.count.toLocaleString('en-US')} ${this.count === 1 ? 'record is' : 'records are'}`;
    if (this.column === undefined)
      return `${records} no molecules that RDKit can read, so in no part, and left out`;
    const words = [...this.words];
    const listed = `${words.slice(0, NAMED).join(', ')}${words.length > NAMED ? ', …' : ''}`;
    return `${records} in no part and left out: column ${this.column} says ${listed} there`;
  }
}
