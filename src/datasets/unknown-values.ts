/** Letters and categories that a run was not trained on, counted and named for people. */
import { InputError } from '../errors.js';
import { type OnBadRecord, quoteCell } from '../records/bad-records.js';
import { NumberSet } from '../records/number-set.js';
import type { EncodeOptions } from '../tokenizers/tokenizer.js';

/** What becomes of such a value: it stands as unknown, or it stops the command; where bad records are skipped, so is its record. */
export type OnUnknown = 'keep' | 'fail';

/** The most values that are named of a column. */
const NAMED = 5;

export class UnknownValues {
  private readonly rows = new NumberSet();
  private first: number | undefined;
  private readonly columns = new Map<string, Set<string>>();

  constructor(
    private readonly path: string,
    private readonly onUnknown: OnUnknown = 'keep',
    private readonly onBadRecord: OnBadRecord = 'auto',
  ) {}

  /** Records that have some. */
  get count(): number {
    return this.rows.size;
  }

  /** How a tokenizer is to encode. */
  get encoding(): EncodeOptions {
    if (this.onUnknown === 'fail' && this.onBadRecord === 'skip') return { unseen: 'reject' };
    return { unseen: 'keep', onUnknown: this.report };
  }

  readonly report = (row: number, column: string, value: string): void => {
    if (this.onUnknown === 'fail') {
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

  /** One sentence, or undefined where every value was known. `done` says what was done with them, as `embedded` does. */
  summary(done: string): string | undefined {
    if (this.count === 0) return undefined;
    const named = [...this.columns].map(([column, values]) => {
      const quoted = [...values].slice(0, NAMED).map(quoteCell);
      return `column ${column}: ${quoted.join(', ')}${values.size > NAMED ? ', …' : ''}`;
    });
    const records = `${this.count.toLocaleString('en-US')} ${this.count === 1 ? 'record holds' : 'records hold'}`;
    return `${records} letters or categories that the run was not trained on (${named.join('; ')}), first in record ${this.first}; they are ${done} all the same; --on-unknown fail refuses them`;
  }
}
