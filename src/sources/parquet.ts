/** Parquet, through DuckDB. */
import { InputError } from '../errors.js';
import type { Reader } from '../records/reader.js';
import type { ColumnInfo } from '../records/record-batch.js';
import { duckdbMessage, sqlPath, tableBatches, withQuery } from './duckdb.js';

const NUMBER_TYPES = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$/;

/** Integers, floats, decimals and booleans become numbers, everything else text. */
export async function parquetReader(path: string): Promise<Reader> {
  const from = `read_parquet(${sqlPath(path)})`;
  const columns = await withQuery(async (query) => {
    const described = await query(`DESCRIBE SELECT * FROM ${from}`);
    const [{ records }] = await query(`SELECT count(*) AS records FROM ${from}`);
    if (Number(records) === 0) throw new InputError(`${path}: no records`);
    return described.map(
      ({ column_name, column_type }): ColumnInfo => ({
        name: String(column_name),
        type: NUMBER_TYPES.test(String(column_type)) ? 'number' : 'text',
      }),
    );
  }).catch((error: unknown) => {
    throw damaged(path, error);
  });
  return {
    columns,
    async *read(selected, _reject, options) {
      try {
        yield* tableBatches(from, selected, options);
      } catch (error) {
        throw damaged(path, error);
      }
    },
  };
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
