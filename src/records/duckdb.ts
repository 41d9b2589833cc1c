/** DuckDB as a table reader: one in-memory instance per thread, one connection per read, chunks copied into batches. */
import type { DuckDBConnection, DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api';
import type { ColumnInfo, ColumnValues, RecordBatch } from './record-batch.js';

/** The rows of a query as plain values; for small results. */
export type Query = (sql: string) => Promise<Record<string, unknown>[]>;

let instance: Promise<DuckDBInstance> | undefined;

/**
 * A connection of its own, to be closed by the caller. DuckDB is loaded at the first call.
 * Two threads keep a parse ahead of the model; the memory limit makes it spill or fail instead of crowding out training.
 */
export async function connect(): Promise<DuckDBConnection> {
  instance ??= import('@duckdb/node-api').then(({ DuckDBInstance }) =>
    DuckDBInstance.create(':memory:', {
      threads: '2',
      memory_limit: '1GB',
      preserve_insertion_order: 'true',
    }),
  );
  return (await instance).connect();
}

/** Runs `use` with a query function on a connection that is closed afterwards. */
export async function withQuery<T>(use: (query: Query) => Promise<T>): Promise<T> {
  const connection = await connect();
  try {
    return await use(async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS());
  } finally {
    connection.closeSync();
  }
}

/** A name quoted for SQL. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string quoted for SQL. */
export function sqlString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A path as a string for SQL that names this one file, whatever characters are in it. */
export function sqlPath(path: string): string {
  return sqlString(path.replace(/[*?[]/g, '[$&]'));
}

/** The selected columns as batches hold them: text, or float64 with NaN for missing and infinite cells. */
function selectList(columns: readonly ColumnInfo[]): string {
  return columns
    .map(({ name, type }) => {
      const column = sqlName(name);
      return type === 'number'
        ? `CASE WHEN isfinite(${column}::DOUBLE) THEN ${column}::DOUBLE ELSE 'NaN'::DOUBLE END`
        : `${column}::VARCHAR`;
    })
    .join(', ');
}

/**
 * The records of a table function in order; `rows` of a batch count from 0.
 *
 * A failure in the middle of a stream looks like its end: `fetchChunk` gives null either way. So one more record is
 * asked for behind the table's, and a stream that ends without it has failed.
 */
export async function* tableBatches(
  from: string,
  columns: readonly ColumnInfo[],
): AsyncGenerator<RecordBatch> {
  const { vector_get_data, data_chunk_get_vector } = (await import('@duckdb/node-bindings')).default;
  /** The memory behind a chunk belongs to DuckDB, so numbers are copied out. */
  const numbers = (chunk: DuckDBDataChunk, index: number, count: number): Float64Array => {
    const bytes = vector_get_data(data_chunk_get_vector(chunk.chunk, index), count * 8);
    return new Float64Array(bytes.buffer, bytes.byteOffset, count).slice();
  };
  const connection = await connect();
  try {
    const result = await connection.stream(
      `SELECT ${selectList(columns)}, false FROM ${from} UNION ALL SELECT ${columns.map(() => 'NULL').join(', ')}, true`,
    );
    let finished = false;
    for (let first = 0; !finished; ) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) throw new Error('the table ended early');
      finished = chunk.getColumnVector(columns.length).getItem(chunk.rowCount - 1) === true;
      const count = finished ? chunk.rowCount - 1 : chunk.rowCount;
      if (count === 0) continue;
      const values: Record<string, ColumnValues> = {};
      for (let j = 0; j < columns.length; j++) {
        const { name, type } = columns[j];
        if (type === 'number') values[name] = { type, values: numbers(chunk, j, count) };
        else {
          const cells = chunk.getColumnValues(j) as (string | null)[];
          cells.length = count;
          values[name] = { type: 'text', values: cells };
        }
      }
      const rows = new Int32Array(count);
      for (let i = 0; i < count; i++) rows[i] = first + i;
      first += count;
      yield { rows, columns: values };
    }
  } finally {
    connection.closeSync();
  }
}

/** The first line of a DuckDB error, without its class. */
export function duckdbMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .split('\n', 1)[0]
    .replace(/^[A-Z][\w ]*Error: /, '')
    .slice(0, 300);
}
