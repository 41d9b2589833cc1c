/** Parquet, through DuckDB. */
import { InputError } from '../errors.js';
import type { Reader } from '../records/reader.js';
import type { ReaderOptions } from '../records/reader-options.js';
import type { ColumnInfo } from '../records/record-batch.js';
import type { DiskFile } from './disk-file.js';
import { duckdbMessage, sqlPath, withQuery } from './duckdb.js';
import { imageColumns, withImages } from './parquet-images.js';

const NUMBER_TYPES = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$/;

/**
 * Integers, floats, decimals and booleans become numbers, columns of images (see `imageColumns`) pixels, everything else
 * text.
 */
export async function parquetReader(
  { name: path, path: stored }: DiskFile,
  options: ReaderOptions = {},
): Promise<Reader> {
  const table = `read_parquet(${sqlPath(stored)})`;
  try {
    const { described, images } = await withQuery(async (query) => {
      const described = await query(`DESCRIBE SELECT * FROM ${table}`);
      const [{ records }] = await query(`SELECT count(*) AS records FROM ${table}`);
      if (Number(records) === 0) throw new InputError(`${path}: no records`);
      return { described, images: await imageColumns(query, table, described, options, path) };
    });
    const columns = described.map(({ column_name, column_type }): ColumnInfo => {
      const name = String(column_name);
      if (images.has(name)) return { name, type: 'pixels' };
      return { name, type: NUMBER_TYPES.test(String(column_type)) ? 'number' : 'text' };
    });
    return {
      columns,
      async *read(selected, reject, readOptions) {
        try {
          yield* withImages(images, table, selected, reject, path, readOptions);
        } catch (error) {
          throw damaged(path, error);
        }
      },
    };
  } catch (error) {
    throw damaged(path, error);
  }
}

function damaged(path: string, error: unknown): Error {
  if (error instanceof InputError) return error;
  return new InputError(
    `${path}: not a readable Parquet file (${duckdbMessage(error)}); copy or write it again`,
    {
      cause: error,
    },
  );
}
