/** What the tokenizers of texts share: the column they read, and how long a record may be. */
import { InputError } from '../errors.js';
import type { RecordBatch } from '../records/record-batch.js';
import { columnOf } from './tokenizer.js';

/** The most tokens that a record of text may have. */
export const LONGEST = 65_536;
const DEFAULT_MAX_TOKENS = 512;

/** The texts of a column. Throws InputError where it holds something else. */
export function textColumn(batch: RecordBatch, name: string, kind: string): readonly (string | null)[] {
  const column = columnOf(batch, name);
  if (column.type === 'text') return column.values;
  throw new InputError(
    `column ${JSON.stringify(name)} holds ${column.type} values; the ${kind} tokenizer reads text`,
  );
}

/** Throws InputError for options that no tokenizer of texts has. */
export function checkTextOptions(
  kind: string,
  { maxTokens, patch }: { readonly maxTokens?: number; readonly patch?: number },
): void {
  if (patch !== undefined)
    throw new InputError(`tokenizer.patch is for the grid and series tokenizers; ${kind} has none`);
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens >= 1 && maxTokens <= LONGEST)) {
    throw new InputError(
      `tokenizer.max_tokens must be a whole number from 1 to ${LONGEST}, not ${maxTokens}`,
    );
  }
}

/** Throws InputError where all of the training records are empty. */
export function checkNotEmpty(column: string, records: number, empty: number): void {
  if (empty < records) return;
  throw new InputError(`column ${JSON.stringify(column)} is empty in all of the ${records} training records`);
}

/** How many records have each number of tokens, those beyond `LONGEST` counted there. */
export class TextLengths {
  private readonly records = new Float64Array(LONGEST + 1);
  private total = 0;

  add(length: number): void {
    this.records[Math.min(length, LONGEST)]++;
    this.total++;
  }

  /** The number of tokens that 99 % of the records do not exceed, rounded up to a multiple of 16, from 16 to 512. */
  mostTokens(): number {
    return Math.min(DEFAULT_MAX_TOKENS, Math.max(16, Math.ceil(this.quantile(0.99) / 16) * 16));
  }

  /** Facts for people, of records that are cropped to `most` tokens. */
  facts(most: number): Record<string, number> {
    let cropped = 0;
    for (let length = most + 1; length <= LONGEST; length++) cropped += this.records[length];
    return {
      'shortest record': this.quantile(0),
      'median length': this.quantile(0.5),
      '99 % of lengths up to': this.quantile(0.99),
      'longest record': this.quantile(1),
      'records cropped': cropped,
    };
  }

  /** The smallest length that at least the share `q` of the records do not exceed. */
  private quantile(q: number): number {
    const wanted = Math.max(1, q * this.total);
    let seen = 0;
    for (let length = 0; length <= LONGEST; length++) {
      seen += this.records[length];
      if (seen >= wanted) return length;
    }
    return LONGEST;
  }
}
