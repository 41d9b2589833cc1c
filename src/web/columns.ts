/** The tables that verbs write, kept in memory instead. */
import { InputError } from '../errors.js';

/** Cells by the name of their column; `embedding` holds all numbers of each record, one record after the other. */
export type Columns = Readonly<
  Record<string, Int32Array | Float32Array | Float64Array | readonly (string | null)[]>
>;

/** The name of an output that is kept in memory. */
export const COLUMNS = 'columns';

let kept: Columns | undefined;

export function keepColumns(columns: Columns): void {
  kept = columns;
}

/** What was kept last, once. */
export function takeColumns(): Columns | undefined {
  const columns = kept;
  kept = undefined;
  return columns;
}

/** The writer of a file. Throws InputError for Parquet, which a page reads and does not write. */
export function noParquet<Write>(path: string, writerOf: (path: string) => Write): Write {
  if (/\.parquet$/i.test(path))
    throw new InputError(`${path}: a page writes no Parquet; name a file that ends in .csv`);
  return writerOf(path);
}
