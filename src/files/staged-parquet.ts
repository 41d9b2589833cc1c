/** Parquet of a table that may be larger than memory: its rows are staged in a database file beside the result. */
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { LacunaError } from '../errors.js';
import { connect, duckdbMessage, sqlName, sqlTarget } from '../sources/duckdb.js';
import { partialName, removeAbandoned } from '../sources/partial-names.js';
import { writeError, writeFileAtomically } from './atomic-file.js';
import { makeFolder } from './make-folder.js';

/** A column of the file. `embedding` is a list of so many floats. */
export interface StagedColumn {
  readonly name: string;
  readonly type: 'INTEGER' | 'DOUBLE' | 'VARCHAR' | { readonly embedding: number };
}

/** Takes the next rows, as many as `VECTOR_ROWS` at most: `fill` sets the columns of a chunk. */
export type AppendRows = (count: number, fill: (chunk: DuckDBDataChunk) => void) => void;

/** DuckDB's vectors hold so many rows at most. */
export const VECTOR_ROWS = 2048;

/**
 * Writes the rows that `produce` appends, with the types that the columns have. Whole or not at all. Throws LacunaError
 * where the file, or the database that its rows are staged in beside it, cannot be written; what `produce` throws as it is.
 */
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
  const failed = (error: unknown): never => {
    throw stagingError(error, path);
  };
  const parquet = join(staging, 'rows.parquet');
  let connection: DuckDBConnection | undefined;
  try {
    const opened = await connect();
    connection = opened;
    const run = (sql: string) => opened.run(sql).catch(failed);
    await run(`ATTACH ${sqlTarget(join(staging, 'rows.duckdb'))} AS ${sqlName(staging)}`);
    try {
      // Columns are named in the file alone, as the names of a database's table differ by more than case.
      const defined = columns.map(
        ({ type }, i) => `c${i} ${typeof type === 'string' ? type : `FLOAT[${type.embedding}]`}`,
      );
      const rows = `${sqlName(staging)}.rows`;
      await run(`CREATE TABLE ${rows} (${defined.join(', ')})`);
      const appender = await opened.createAppender('rows', null, staging).catch(failed);
      const chunk = DuckDBDataChunk.create(
        columns.map(({ type }) => (typeof type === 'string' ? types[type] : ARRAY(FLOAT, type.embedding))),
      );
      await produce((count, fill) => {
        chunk.reset();
        chunk.rowCount = count;
        fill(chunk);
        try {
          appender.appendDataChunk(chunk);
        } catch (error) {
          failed(error);
        }
      });
      try {
        appender.closeSync();
      } catch (error) {
        failed(error);
      }
      const named = columns.map(
        ({ name, type }, i) => `c${i}${typeof type === 'string' ? '' : '::FLOAT[]'} AS ${sqlName(name)}`,
      );
      await run(
        `COPY (SELECT ${named.join(', ')} FROM ${rows}) TO ${sqlTarget(parquet)} (FORMAT parquet, ROW_GROUP_SIZE 16384)`,
      );
    } finally {
      // What is wrong with a database that cannot be closed has been told, and its files are removed.
      await opened.run(`DETACH ${sqlName(staging)}`).catch(() => {});
    }
    await writeFileAtomically(path, createReadStream(parquet));
  } finally {
    connection?.closeSync();
    await rm(staging, { recursive: true, force: true }).catch(() => {});
  }
}

/** The one line for an error of the database, which passes on what the system said in words. */
function stagingError(error: unknown, path: string): unknown {
  const message = duckdbMessage(error);
  for (const [code, words] of getSystemErrorMap().values()) {
    if (!message.toLowerCase().includes(words)) continue;
    const refused = writeError(Object.assign(new Error(message), { code }), path, 0);
    if (refused instanceof LacunaError) return refused;
  }
  return new LacunaError(`${path}: could not write Parquet (${message})`, { cause: error });
}
