/** Parquet of a table that may be larger than memory: its rows are staged in a database file beside the result. */
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DuckDBDataChunk } from '@duckdb/node-api';
import { LacunaError } from '../errors.js';
import { connect, duckdbMessage, sqlName, sqlTarget } from '../sources/duckdb.js';
import { writeError, writeFileAtomically } from './atomic-file.js';
import { makeFolder } from './make-folder.js';
import { partialName, removeAbandoned } from './partial-names.js';

/** A column of the file. `embedding` is a list of so many floats. */
export interface StagedColumn {
  readonly name: string;
  readonly type: 'INTEGER' | 'DOUBLE' | 'VARCHAR' | { readonly embedding: number };
}

/** Takes the next rows, as many as `VECTOR_ROWS` at most: `fill` sets the columns of a chunk. */
export type AppendRows = (count: number, fill: (chunk: DuckDBDataChunk) => void) => void;

/** DuckDB's vectors hold so many rows at most. */
export const VECTOR_ROWS = 2048;

/** Writes the rows that `produce` appends, with the types that the columns have. Whole or not at all. */
export async function writeStagedParquet(
  path: string,
  columns: readonly StagedColumn[],
  produce: (append: AppendRows) => Promise<void>,
): Promise<void> {
  const { ARRAY, DOUBLE, DuckDBDataChunk, FLOAT, INTEGER, VARCHAR } = await import('@duckdb/node-api');
  const types = { INTEGER, DOUBLE, VARCHAR };
  const staging = partialName(path);
  try {
    await makeFolder(dirname(path));
    await removeAbandoned(dirname(path), basename(path));
    await mkdir(staging);
  } catch (error) {
    throw writeError(error, path, 0);
  }
  const parquet = join(staging, 'rows.parquet');
  const connection = await connect();
  try {
    await connection.run(`ATTACH ${sqlTarget(join(staging, 'rows.duckdb'))} AS staging`);
    try {
      // Columns are named in the file alone, as the names of a database's table differ by more than case.
      const defined = columns.map(
        ({ type }, i) => `c${i} ${typeof type === 'string' ? type : `FLOAT[${type.embedding}]`}`,
      );
      await connection.run(`CREATE TABLE staging.rows (${defined.join(', ')})`);
      const appender = await connection.createAppender('rows', null, 'staging');
      const chunk = DuckDBDataChunk.create(
        columns.map(({ type }) => (typeof type === 'string' ? types[type] : ARRAY(FLOAT, type.embedding))),
      );
      await produce((count, fill) => {
        chunk.reset();
        chunk.rowCount = count;
        fill(chunk);
        appender.appendDataChunk(chunk);
      });
      appender.closeSync();
      const named = columns.map(
        ({ name, type }, i) => `c${i}${typeof type === 'string' ? '' : '::FLOAT[]'} AS ${sqlName(name)}`,
      );
      await connection.run(
        `COPY (SELECT ${named.join(', ')} FROM staging.rows) TO ${sqlTarget(parquet)} (FORMAT parquet, ROW_GROUP_SIZE 16384)`,
      );
    } finally {
      await connection.run('DETACH staging');
    }
    await writeFileAtomically(path, createReadStream(parquet));
  } catch (error) {
    if (error instanceof LacunaError || !isDuckdbError(error)) throw error;
    throw new LacunaError(`${path}: could not write Parquet (${duckdbMessage(error)})`, { cause: error });
  } finally {
    connection.closeSync();
    await rm(staging, { recursive: true, force: true });
  }
}

/** DuckDB's errors begin with their class, as in "IO Error: …". */
const isDuckdbError = (error: unknown) => error instanceof Error && /^[A-Z][\w ]*Error: /.test(error.message);
