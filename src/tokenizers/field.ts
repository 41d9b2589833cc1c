/** What each kind of column of a table has to be able to do: be fitted, and write its cells as tokens. */
import { InputError } from '../errors.js';
import type { ColumnType, ColumnValues } from '../records/record-batch.js';
import type { FieldSpec } from '../records/token-block.js';

/** How the cells of a column are read; `chooseTokenizer` decides it from the first records. */
export type FieldKind = 'number' | 'date' | 'boolean' | 'category' | 'hashed' | 'text' | 'vector';

/** Standardised values are clipped to this many standard deviations, so that one outlier does not rule a batch's loss. */
export const CLIP = 10;

/** Takes in the training cells of one column. */
export interface FieldFit<State> {
  /** The first `count` cells of a batch. */
  add(column: ColumnValues, count: number): void;
  /** What was learned, where ids from `firstId` on are free; undefined if no cell holds a value. */
  state(firstId: number): State | undefined;
}

/** A fitted column of a table, which is one token of a record or several. */
export interface Field {
  readonly column: string;
  readonly tokens: readonly FieldSpec[];
  /** Writes the cells of a batch's column. Ids and values are 0 beforehand. */
  write(column: ColumnValues, cells: Cells): void;
  /** The value of one of its tokens in the data's own units; NaN where it has none. */
  decode(token: number, value: number): number;
  /** A short human label of one of its tokens, or of the id there. */
  label(token: number, id?: number): string;
}

/** Where the cells at `places` of a batch go: the first token of record r to `start + r · stride`. */
export interface Cells {
  readonly places: ArrayLike<number>;
  readonly ids: Int32Array;
  readonly values: Float32Array;
  readonly start: number;
  readonly stride: number;
  /** Told of a bad cell: the how manieth of the places, and what is wrong. */
  readonly bad: (record: number, message: string) => void;
  /** Told, once a record, of a letter or category that fitting did not see; `message` says so where that makes a record bad. */
  readonly unseen: (record: number, value: string, message: () => string) => void;
  /** Told of a cell whose end is left out. */
  readonly cropped: (record: number) => void;
}

/** The tokens of a column that are numbers, all alike. */
export const numericTokens = (names: readonly string[]): FieldSpec[] =>
  names.map((name) => ({ name, type: 'numeric', firstId: 0, size: 0 }));

/** The cells of a column of numbers or text as text; a number is printed. Null is missing. */
export function textCells(name: string, column: ColumnValues): (place: number) => string | null {
  if (column.type === 'text') return (place) => column.values[place];
  if (column.type !== 'number') throw wrongType(name, column.type, 'text');
  return (place) => (Number.isNaN(column.values[place]) ? null : String(column.values[place]));
}

/** An error for a column that changed its type. */
export const wrongType = (name: string, got: ColumnType, expected: string): InputError =>
  new InputError(
    `column ${JSON.stringify(name)} holds ${plural[got]}, but ${expected} ${expected === 'text' ? 'was' : 'were'} expected; give it the type it had in training, or leave it out with --ignore and train again`,
  );

const plural: Readonly<Record<ColumnType, string>> = {
  number: 'numbers',
  text: 'text',
  pixels: 'images',
  series: 'lists of numbers',
};
