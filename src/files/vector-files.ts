/** Embeddings as a file that other tools open: Parquet, NPY or CSV. Written block by block, and whole or not at all. */
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, LacunaError } from '../errors.js';
import { connect, duckdbMessage, sqlString } from '../sources/duckdb.js';
import { encodeNpy } from '../tensor/npy.js';
import { PARTIAL_SUFFIX, writeError, writeFileAtomically } from './atomic-file.js';
import { csvCell } from './csv-cell.js';

/** Consecutive records of a file with their embeddings. */
export interface EmbeddedRecords {
  /** int32[n]: rows of the file they come from, counted from 0. */
  readonly rows: Int32Array;
  /** Their ids, where the file has an id column. */
  readonly ids?: readonly (string | null)[];
  /** float32[n, width] */
  readonly embeddings: Float32Array;
}

type Write = (
  path: string,
  width: number,
  hasIds: boolean,
  blocks: AsyncIterable<EmbeddedRecords>,
) => Promise<void>;

/** `row`, `id` where there is one, and `embedding_0` …; as many digits as tell one float32 from the next. */
const writeCsv: Write = async (path, width, hasIds, blocks) => {
  async function* chunks() {
    const encoder = new TextEncoder();
    const names = Array.from({ length: width }, (_, i) => `embedding_${i}`);
    yield encoder.encode(`${['row', ...(hasIds ? ['id'] : []), ...names].join(',')}\n`);
    for await (const { rows, ids, embeddings } of blocks) {
      let text = '';
      for (let i = 0; i < rows.length; i++) {
        text += rows[i];
        if (ids) text += `,${csvCell(ids[i])}`;
        for (let j = i * width; j < (i + 1) * width; j++) text += `,${Number(embeddings[j].toPrecision(9))}`;
        text += '\n';
      }
      yield encoder.encode(text);
    }
  }
  await writeFileAtomically(path, chunks());
};

/** float32[records, width]; the format has no place for rows and ids. */
const writeNpy: Write = async (path, width, _hasIds, blocks) => {
  async function* matrices() {
    for await (const { embeddings } of blocks) yield embeddings;
  }
  const { chunks, header } = encodeNpy(width, matrices());
  await writeFileAtomically(path, chunks, { header });
};

/** DuckDB's vectors hold so many rows at most. */
const VECTOR_ROWS = 2048;

/**
 * `row`, `id` where there is one, and `embedding`, a list of `width` floats. The rows are staged in a database file
 * beside the result, because Parquet is written from a table and the table may be larger than memory.
 */
const writeParquet: Write = async (path, width, hasIds, blocks) => {
  const staging = `${path}.staging${PARTIAL_SUFFIX}`;
  const table = join(staging, 'embeddings.duckdb');
  const parquet = join(staging, 'embeddings.parquet');
  const { ARRAY, DuckDBDataChunk, FLOAT, INTEGER, VARCHAR } = await import('@duckdb/node-api');
  const { array_vector_get_child, copy_data_to_vector, data_chunk_get_vector } = (
    await import('@duckdb/node-bindings')
  ).default;
  try {
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true });
  } catch (error) {
    throw writeError(error, path, 0);
  }
  const connection = await connect();
  try {
    await connection.run(`ATTACH ${sqlString(table)} AS staging`);
    try {
      const idColumn = hasIds ? 'id VARCHAR, ' : '';
      await connection.run(
        `CREATE TABLE staging.embeddings ("row" INTEGER, ${idColumn}embedding FLOAT[${width}])`,
      );
      const appender = await connection.createAppender('embeddings', null, 'staging');
      const array = ARRAY(FLOAT, width);
      const chunk = DuckDBDataChunk.create(hasIds ? [INTEGER, VARCHAR, array] : [INTEGER, array]);
      for await (const { rows, ids, embeddings } of blocks) {
        for (let start = 0; start < rows.length; start += VECTOR_ROWS) {
          const end = Math.min(start + VECTOR_ROWS, rows.length);
          chunk.reset();
          chunk.rowCount = end - start;
          chunk.setColumnValues(0, Array.from(rows.subarray(start, end)));
          if (ids) chunk.setColumnValues(1, ids.slice(start, end));
          // One copy for the whole block: the values of an array column lie one after the other.
          const values = array_vector_get_child(data_chunk_get_vector(chunk.chunk, ids ? 2 : 1));
          const { buffer, byteOffset, BYTES_PER_ELEMENT } = embeddings;
          const rowBytes = width * BYTES_PER_ELEMENT;
          copy_data_to_vector(
            values,
            0,
            buffer as ArrayBuffer,
            byteOffset + start * rowBytes,
            (end - start) * rowBytes,
          );
          appender.appendDataChunk(chunk);
        }
      }
      appender.closeSync();
      await connection.run(
        `COPY (SELECT * REPLACE (embedding::FLOAT[] AS embedding) FROM staging.embeddings) TO ${sqlString(parquet)} (FORMAT parquet, ROW_GROUP_SIZE 16384)`,
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
};

/** DuckDB's errors begin with their class, as in "IO Error: …". */
const isDuckdbError = (error: unknown) => error instanceof Error && /^[A-Z][\w ]*Error: /.test(error.message);

const writers = { parquet: writeParquet, npy: writeNpy, csv: writeCsv } as const satisfies Record<
  string,
  Write
>;

/** The writer of the format that a path's extension names. Throws InputError for any other. */
export function embeddingWriter(path: string): Write {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1].toLowerCase() ?? '';
  if (Object.hasOwn(writers, extension)) return writers[extension as keyof typeof writers];
  const known = Object.keys(writers).map((name) => `.${name}`);
  throw new InputError(
    `${path}: expected a file named ${known.slice(0, -1).join(', ')} or ${known.at(-1)} to write embeddings to`,
  );
}
