/** What every tokenizer is: a small state fitted on training records, and a pure function from records to tokens. */

import { z } from 'zod';
import { InputError, listed } from '../errors.js';
import type { Option } from '../options.js';
import type { ColumnValues, RecordBatch } from '../records/record-batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import type { FieldKind } from './field.js';
import type { TokenizerKind } from './index.js';

/** Told of each record that is left out, once: its file row, the column at fault, and what is wrong with it. */
export type RejectRecord = (row: number, column: string, message: string) => void;

/** A fitted tokenizer. */
export interface Tokenizer {
  readonly kind: TokenizerKind;
  readonly spec: TokenSpec;
  /** The columns it reads. */
  readonly columns: readonly string[];
  /** Where tokens are the parts of one column's texts, in order. */
  readonly text?: TokenizedText;
  /** What `fit` saw, as named facts for people: records, vocabulary, lengths, …. */
  readonly fitted: Fitted;
  /**
   * The tokens of a batch's records, or of those asked for, in order. Bad records are left out and given to `reject`, each
   * once and in the same order.
   * Throws InputError only where the columns themselves are not those the tokenizer was fitted on.
   */
  encode(batch: RecordBatch, reject?: RejectRecord, options?: EncodeOptions): TokenBlock;
  /** The value in the data's own units of a standardised one; where the specification has values. */
  decode?(position: number, channel: number, value: number): number;
  /** A short human label of a position, or of the token `id` there, for pictures and reports. */
  tokenLabel(position: number, id?: number): string;
  /** Plain JSON from which `restoreTokenizer` makes the same tokenizer. */
  toJSON(): TokenizerState;
}

/** The texts that tokens are parts of. */
export interface TokenizedText {
  readonly column: string;
  /** How many letters (Unicode code points) of the text begin in a token; 0 for padding. */
  letters(id: number): number;
  /** The text of tokens that follow each other; U+FFFD for what is unknown, and for parts of a letter without the others. */
  read(ids: ArrayLike<number>): string;
}

/** Which records become tokens, and how strictly. */
export interface EncodeOptions {
  /** Places in the batch, ascending, of the records to encode; all of them by default. */
  readonly places?: ArrayLike<number>;
  /** A letter or category that fitting did not see: it stands as unknown or missing (the default), or it makes its record bad. */
  readonly unseen?: 'keep' | 'reject';
  /** Told of the first such letter or category of a record and column that is kept, in the order of the records. */
  readonly onUnknown?: (row: number, column: string, value: string) => void;
  /** Told of each text or series that is longer than what is read of it, so that its end is left out, in the order of the records. */
  readonly onCropped?: (row: number, column: string) => void;
}

/** What every state has; each kind adds its own. */
export interface TokenizerState {
  readonly kind: TokenizerKind;
  readonly version: 1 | 2;
}

/** Named facts for people. */
export type Fitted = Readonly<Record<string, number | string>> & { readonly records: number };

/** What a tokenizer is told before it is fitted. */
export interface TokenizerOptions {
  /** The columns to read (see `chooseTokenizer`). */
  readonly columns: readonly string[];
  /** `fields`: how the cells of each column are read; of one that is not named its type says it. */
  readonly kinds?: Readonly<Record<string, FieldKind>>;
  /** `sequence`, `byte-pairs`: longer records are cropped. `grid`, `series`: the most patches that an image or series may be cut into. */
  readonly maxTokens?: number;
  /** `grid`: side of a square patch in pixels. `series`: steps of a patch. */
  readonly patch?: number;
  /** Options that a kind declares for itself, as far as they are given. */
  readonly own?: Readonly<Record<string, unknown>>;
}

/** Records, batch by batch. */
export type Batches = AsyncIterable<RecordBatch> | Iterable<RecordBatch>;

/** One kind of tokenizer, in the table of `index.ts`. */
export interface TokenizerFamily {
  /** Its own configuration keys, beside those of all kinds; none by default. */
  readonly options?: Readonly<Record<string, Option>>;
  /** Reads training records up to `FIT_RECORDS` or `FIT_VALUES`. Throws InputError if they or the options do not suit the kind. */
  fit(batches: Batches, options: TokenizerOptions): Promise<Tokenizer>;
  /** Throws InputError if the state is not one that `toJSON` of this kind gave. */
  restore(state: unknown): Tokenizer;
}

/**
 * Fitting stops after this many records or values (letters, cells, pixels, values), so that learning from a file of any size
 * starts within seconds. Files are often sorted, so both are as large as that allows.
 * @internal
 */
export const FIT_RECORDS = 500_000;
const FIT_VALUES = 100_000_000;

/**
 * Gives `take` the training records batch by batch, with how many of a batch to look at; it returns how many values it
 * saw. Returns the number of records. Throws InputError if there is none.
 */
export async function readTraining(
  batches: Batches,
  take: (batch: RecordBatch, count: number) => number,
): Promise<number> {
  let records = 0;
  let values = 0;
  for await (const batch of batches) {
    const count = Math.min(batch.rows.length, FIT_RECORDS - records);
    if (count > 0) values += take(batch, count);
    records += count;
    if (records === FIT_RECORDS || values >= FIT_VALUES) break;
  }
  if (records === 0) throw new InputError('there are no training records to fit a tokenizer on');
  return records;
}

/** The places of all records of a batch. */
export function allPlaces({ rows }: RecordBatch): Int32Array {
  const places = new Int32Array(rows.length);
  for (let place = 0; place < places.length; place++) places[place] = place;
  return places;
}

/** The named column, or InputError with the names there are. */
export function columnOf(batch: RecordBatch, name: string): ColumnValues {
  const column = Object.hasOwn(batch.columns, name) ? batch.columns[name] : undefined;
  if (column) return column;
  throw new InputError(
    `column ${JSON.stringify(name)} is not in the data; its columns are ${listed(Object.keys(batch.columns))}`,
  );
}

/** The one column that `sequence`, `grid` and `series` read. */
export function singleColumn(kind: TokenizerKind, columns: readonly string[]): string {
  if (columns.length === 1) return columns[0];
  throw new InputError(`the ${kind} tokenizer reads one column, not ${columns.length} (${listed(columns)})`);
}

export const fittedSchema = z.object({ records: z.number() }).catchall(z.union([z.number(), z.string()]));

/** A state that was read from a file, checked. Throws InputError that names the first key at fault. */
export function parseState<State>(schema: z.ZodType<State>, state: unknown): State {
  const result = schema.safeParse(state);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  const key = path.length > 0 ? ` at ${path.join('.')}` : '';
  throw new InputError(`this is not the state of a tokenizer that Lacuna wrote:${key} ${message}`);
}
