/** What is lost as records become tokens of a trained run, counted and named for people. */
import { InputError } from '../errors.js';
import { type OnBadRecord, quoteCell } from '../records/bad-records.js';
import { NumberSet } from '../records/number-set.js';
import type { EncodeOptions } from '../tokenizers/tokenizer.js';

/** What becomes of such a value: it stands as unknown, or it stops the command; where bad records are skipped, so is its record. */
export type OnUnknown = 'keep' | 'fail';

/** The most values that are named of a column. */
const NAMED = 5;

/** Letters and categories that the run was not trained on, and ends of records that it does not read. */
export class EncodingLosses {
  private readonly rows = new NumberSet();
  private readonly cropped = new NumberSet();
  private firstCropped: number | undefined;
  private readonly croppedColumns = new Set<string>();
  private first: number | undefined;
  private readonly columns = new Map<string, Set<string>>();

  constructor(
    private readonly path: string,
    private readonly onUnseen: OnUnknown = 'keep',
    private readonly onBadRecord: OnBadRecord = 'auto',
  ) {}

  /** Records with such a letter or category. */
  get unknown(): number {
    return this.rows.size;
  }

  /** How a tokenizer is to encode. */
  get encoding(): EncodeOptions {
    const { onUnknown, onCropped } = this;
    if (this.onUnseen === 'fail' && this.onBadRecord === 'skip') return { unseen: 'reject', onCropped };
    return { unseen: 'keep', onUnknown, onCropped };
  }

  private readonly onUnknown = (row: number, column: string, value: string): void => {
    if (this.onUnseen === 'fail') {
      throw new InputError(
        `${this.path}: record ${row}, column "${column}": ${quoteCell(value)} is no letter or category that the run was trained on; correct it, or read it as unknown with --on-unknown keep`,
      );
    }
    this.first ??= row;
    this.rows.add(row);
    const values = this.columns.get(column) ?? new Set();
    if (values.size <= NAMED) values.add(value);
    this.columns.set(column, values);
  };

  private readonly onCropped = (row: number, column: string): void => {
    this.firstCropped ??= row;
    this.cropped.add(row);
    this.croppedColumns.add(column);
  };

  /** A sentence for each kind of loss that there was. `done` says what was done with the records, as `embedded` does. */
  summaries(done: string): string[] {
    const told: string[] = [];
    if (this.unknown > 0) {
      const named = [...this.columns].map(([column, values]) => {
        const quoted = [...values].slice(0, NAMED).map(quoteCell);
        return `column ${column}: ${quoted.join(', ')}${values.size > NAMED ? ', …' : ''}`;
      });
      told.push(
        `${counted(this.unknown, 'holds', 'hold')} letters or categories that the run was not trained on (${named.join('; ')}), first in record ${this.first}; they are ${done} all the same; --on-unknown fail refuses them`,
      );
    }
    if (this.cropped.size > 0) {
      told.push(
        `${counted(this.cropped.size, 'is', 'are')} longer than the run reads (column ${[...this.croppedColumns].join(', ')}), first record ${this.firstCropped}; the beginning alone is ${done}`,
      );
    }
    return told;
  }
}

const counted = (records: number, one: string, several: string): string =>
  `${records.toLocaleString('en-US')} ${records === 1 ? `record ${one}` : `records ${several}`}`;
