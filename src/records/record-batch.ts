/** What a reader yields: a few thousand records at a time, by column, so that a million rows need no million objects. */
import type { CellFormat } from './cells/cell-format.js';

export type ColumnValues =
  /** `values[row]`; NaN is a missing cell. */
  | { readonly type: 'number'; readonly values: Float64Array }
  /** `values[row]`; null is a missing cell. */
  | { readonly type: 'text'; readonly values: readonly (string | null)[] }
  /** `values[((row * height + y) * width + x) * channels + channel]`, 0 … 255. */
  | { readonly type: 'pixels'; readonly values: Uint8Array; readonly shape: PixelShape }
  /** `values[(offsets[row] + step) * channels + channel]`; record `row` has `offsets[row + 1] - offsets[row]` steps. NaN is missing. */
  | {
      readonly type: 'series';
      readonly values: Float32Array;
      readonly offsets: Int32Array;
      readonly channels: number;
    };

/** The shape of an image. */
export type PixelShape = readonly [height: number, width: number, channels: number];

/** What a column holds. */
export type ColumnType = ColumnValues['type'];

/** Whether a column of this type has one value a record, and not an array of them. */
export const isCellType = (type: ColumnType): boolean => type === 'number' || type === 'text';

/** Consecutive records of a file, by column. */
export interface RecordBatch {
  /** Index in the file of this batch's first record, counted from 0. Bad records that were skipped keep their number. */
  readonly rows: Int32Array;
  readonly columns: Readonly<Record<string, ColumnValues>>;
  /** The cells of columns that were asked for `verbatim`, in the file's own characters; null is a cell that is not there. */
  readonly texts?: Readonly<Record<string, readonly (string | null)[]>>;
}

/** What is known of a column before it is read. */
export interface ColumnInfo {
  readonly name: string;
  readonly type: ColumnType;
  /** How the cells of a text file are read as its type, where that is not plain. */
  readonly format?: CellFormat;
  /** Of images that may be of any size: the shape they are brought to. */
  readonly shape?: PixelShape;
  /** No cell of the sample holds a value, so that another file may decide its type. */
  readonly empty?: true;
}

/** Says of a column that is `empty` why it is not read. */
export const withoutType = (name: string): string =>
  `column ${JSON.stringify(name)} has no value in the first records, which types are told from; put records that have one first`;

/** Something of the records that no column can hold, and why. */
export interface LeftOutColumn {
  readonly name: string;
  readonly reason: string;
}

/** A cell, line or record that could not be read. `line` counts from 1 where the format has lines. */
export interface BadRecord {
  readonly path: string;
  readonly row: number;
  readonly line?: number;
  readonly column?: string;
  readonly message: string;
}

/** What of a source is wanted. */
export interface ReadOptions {
  /** Only these columns are read; all by default. */
  readonly columns?: readonly string[];
  /** Of these columns the cells are given in the file's own characters as well, as `texts` of a batch. */
  readonly verbatim?: readonly string[];
  /** Of these, which are verbatim, nothing else is wanted: they are text whatever they held before, so that no cell of them is bad. */
  readonly textsAlone?: readonly string[];
  /** Only the first records are wanted, so few are parsed ahead of them. */
  readonly few?: boolean;
  /** What to do with a bad record; by default what the source was opened for. */
  readonly reject?: (bad: BadRecord) => void;
}

/** A file (or a folder of files that belong together) that can be read from the start any number of times. */
export interface DataSource {
  readonly path: string;
  /** The files it is read from. */
  readonly files: readonly string[];
  readonly format: string;
  readonly bytes: number;
  readonly columns: readonly ColumnInfo[];
  readonly leftOut?: readonly LeftOutColumn[];
  /** How the file is written, in words, where that was found out: delimiter, quote, header. */
  readonly dialect?: string;
  /** What was decided about the cells and may surprise, a sentence each. */
  readonly notes?: readonly string[];
  /** What the records that were read so far hold and no sample of the first ones told, a sentence each. */
  readonly found?: () => readonly string[];
  /** The words for a missing cell that the user named; undefined for the usual ones. */
  readonly missing?: readonly string[];
  /** The column whose texts are given as RDKit's canonical SMILES. */
  readonly canonicalSmiles?: string;
  /** What becomes of a bad record: throws InputError, or returns where it is skipped. */
  readonly reject: (bad: BadRecord) => void;
  /** Records in file order, the same at every call. Throws InputError at the first bad record unless they are skipped. */
  read(options?: ReadOptions): AsyncGenerator<RecordBatch>;
}
