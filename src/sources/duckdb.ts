/** DuckDB as a table reader: one in-memory instance per thread, one connection per read, chunks copied into batches. */
import { resolve } from 'node:path';
import type { DuckDBConnection, DuckDBDataChunk, DuckDBDecimalValue, DuckDBInstance } from '@duckdb/node-api';
import { seriesReader } from '../records/object-records.js';
import type { ColumnInfo, ColumnValues, ReadOptions, RecordBatch } from '../records/record-batch.js';
import type { Fault } from '../records/select-records.js';

/** The rows of a query as plain values; for small results. */
export type Query = (sql: string) => Promise<Record<string, unknown>[]>;

let instance: Promise<DuckDBInstance> | undefined;

/**
 * What is parsed ahead of the records that were asked for. Each thread parses a stretch of megabytes, the later ones
 * into here: where they do not fit, their thread waits.
 */
const AHEAD = { all: '16MiB', few: '1MiB' };

/** A table of one record, in the database of every connection (see `tableBatches`). */
const ONE_RECORD = 'one_record';

/**
 * Two threads keep a parse ahead of the model; the memory limit makes it spill or fail instead of crowding out training.
 */
async function createInstance(): Promise<DuckDBInstance> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const created = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: '1GB',
    preserve_insertion_order: 'true',
    // Nothing is fetched from anywhere.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await created.connect();
  await connection.run(`CREATE TABLE ${ONE_RECORD} AS SELECT true AS finished`);
  connection.closeSync();
  return created;
}

/** A connection of its own, to be closed by the caller. DuckDB is loaded at the first call. */
export async function connect(): Promise<DuckDBConnection> {
  instance ??= createInstance();
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

/**
 * The first arguments of a table function that reads this one file: its name means itself, whatever characters are in it.
 * An absolute path has no `~` or `http:` to interpret, and folders named `label=cat` do not become columns.
 */
export function sqlPath(path: string): string {
  return `${sqlString(resolve(path).replace(/[*?[]/g, '[$&]'))}, hive_partitioning=false`;
}

/** A file that SQL writes or attaches, by its own name. */
export const sqlTarget = (path: string): string => sqlString(resolve(path));

const sqlTypes = { number: '::DOUBLE', text: '::VARCHAR', series: '', pixels: '' } as const;

const selectList = (columns: readonly ColumnInfo[]): string =>
  columns.map(({ name, type }) => `${sqlName(name)}${sqlTypes[type]}`).join(', ');

/** The numbers of a list value, and of lists in it, with the integers and decimals that the database holds otherwise. */
function itemsOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if ('items' in value) return (value.items as readonly unknown[]).map(itemsOf);
  return 'toDouble' in value ? (value as DuckDBDecimalValue).toDouble() : value;
}

export interface TableBatch extends RecordBatch {
  /** A number of it is beyond the integers that float64 holds one by one. */
  readonly large: boolean;
  /** By its place, what is wrong with a record; its list is given as missing. */
  readonly faults: ReadonlyMap<number, Fault>;
}

/**
 * The records of a table function in order; `rows` of a batch count from 0.
 *
 * A failure in the middle of a stream looks like its end: `fetchChunk` gives null either way. So one more record is
 * asked for behind the table's, and a stream that ends without it has failed. It comes from a table too: of a constant,
 * DuckDB does not know where in the order it is, and would parse with one thread.
 */
export async function* tableBatches(
  from: string,
  columns: readonly ColumnInfo[],
  { few = false }: Pick<ReadOptions, 'few'> = {},
): AsyncGenerator<TableBatch> {
  const { data_chunk_get_vector, vector_get_data, vector_get_validity } = (
    await import('@duckdb/node-bindings')
  ).default;
  /** Copies a column out, as its memory belongs to DuckDB; NaN for missing and infinite cells. */
  let large = false;
  const copyNumbers = (chunk: DuckDBDataChunk, index: number, into: Float64Array) => {
    const count = into.length;
    const vector = data_chunk_get_vector(chunk.chunk, index);
    const bytes = vector_get_data(vector, count * 8);
    const cells = new Float64Array(bytes.buffer, bytes.byteOffset, count);
    for (let i = 0; i < count; i++) {
      const cell = cells[i];
      into[i] = Number.isFinite(cell) ? cell : Number.NaN;
      if (cell > Number.MAX_SAFE_INTEGER || cell < Number.MIN_SAFE_INTEGER) large = true;
    }
    // One bit a cell, in words of 64; nothing where no cell is missing.
    const present: Uint8Array | null = vector_get_validity(vector, Math.ceil(count / 64) * 8);
    if (!present) return;
    for (let i = 0; i < count; i++) if (((present[i >> 3] >> (i & 7)) & 1) === 0) into[i] = Number.NaN;
  };
  const numeric = columns.filter(({ type }) => type === 'number').length;
  const series = columns.map(seriesReader);
  const connection = await connect();
  try {
    await connection.run(`SET streaming_buffer_size = '${few ? AHEAD.few : AHEAD.all}'`);
    const result = await connection.stream(
      `SELECT ${selectList(columns)}, false FROM ${from} UNION ALL
       SELECT ${columns.map(() => 'NULL').join(', ')}, finished FROM ${ONE_RECORD}`,
    );
    let finished = false;
    for (let first = 0; !finished; ) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) throw new Error('the table ended early');
      finished = chunk.getColumnVector(columns.length).getItem(chunk.rowCount - 1) === true;
      const count = finished ? chunk.rowCount - 1 : chunk.rowCount;
      if (count === 0) continue;
      const values: Record<string, ColumnValues> = Object.create(null);
      const faults = new Map<number, Fault>();
      // All columns of numbers share one piece of memory.
      const numbers = new Float64Array(numeric * count);
      let used = 0;
      for (let j = 0; j < columns.length; j++) {
        const { name, type } = columns[j];
        if (type === 'number') {
          values[name] = { type, values: numbers.subarray(used, used + count) };
          copyNumbers(chunk, j, values[name].values);
          used += count;
        } else if (type === 'series') {
          const cells = chunk.getColumnValues(j).slice(0, count);
          values[name] = series[j](cells.map(itemsOf), (place, message) => {
            if (!faults.has(place)) faults.set(place, { column: name, message });
          });
        } else {
          const cells = chunk.getColumnValues(j) as (string | null)[];
          cells.length = count;
          values[name] = { type: 'text', values: cells };
        }
      }
      const rows = new Int32Array(count);
      for (let i = 0; i < count; i++) rows[i] = first + i;
      first += count;
      yield { rows, columns: values, large, faults };
      large = false;
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
