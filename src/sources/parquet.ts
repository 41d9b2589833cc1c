/** Parquet, through DuckDB. */
import { InputError } from '../errors.js';
import type { Reject } from '../records/bad-records.js';
import type { CellFormat } from '../records/cells/cell-format.js';
import type { Reader } from '../records/reader.js';
import type { ReaderOptions } from '../records/reader-options.js';
import type { ColumnInfo, ColumnType, ReadOptions, RecordBatch } from '../records/record-batch.js';
import { withoutFaults } from '../records/select-records.js';
import { orderedRejects } from './decoder.js';
import type { DiskFile } from './disk-file.js';
import { duckdbMessage, type Query, sqlName, sqlPath, tableBatches, withQuery } from './duckdb.js';
import { imageColumns, withImages } from './parquet-images.js';

/** What a column of a DuckDB type becomes, and the SQL that makes it; `large` integers may be more than float64 holds. */
interface Conversion {
  readonly type: ColumnType;
  readonly format?: CellFormat;
  readonly sql?: (column: string) => string;
  readonly large?: boolean;
}

const date = (holds: 'date' | 'time' | 'date and time'): CellFormat => ({
  kind: 'date',
  holds,
  order: 'ymd',
});
const epoch = (column: string) => `epoch(${column})`;

/** The first type that a pattern fits counts; every other one is text. */
const conversions: readonly (readonly [RegExp, Conversion])[] = [
  [/^(U?BIGINT|U?HUGEINT|DECIMAL\(\d+,0\))$/, { type: 'number', large: true }],
  [/^(U?(TINY|SMALL)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/, { type: 'number' }],
  [/^BOOLEAN$/, { type: 'text', format: { kind: 'boolean' } }],
  [/^DATE$/, { type: 'number', format: date('date'), sql: epoch }],
  [/^TIMESTAMP/, { type: 'number', format: date('date and time'), sql: epoch }],
  [/^TIME( |$)/, { type: 'number', format: date('time'), sql: epoch }],
  [/^(U?(TINY|SMALL|BIG)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))(\[\d*\]){1,2}$/, { type: 'series' }],
];

/**
 * Numbers become numbers, but integers of more than float64 holds text; booleans become text; dates and times seconds; lists
 * of numbers, and lists of such lists, series; columns of images (see `imageColumns`) pixels; everything else text.
 */
export async function parquetReader(
  { name: path, path: stored }: DiskFile,
  options: ReaderOptions = {},
): Promise<Reader> {
  const from = `read_parquet(${sqlPath(stored)})`;
  const { columns, images } = await withQuery(async (query) => {
    const [{ records }] = await query(`SELECT count(*) AS records FROM ${from}`);
    if (Number(records) === 0) throw new InputError(`${path}: no records`);
    const described = await query(`DESCRIBE SELECT * FROM ${from}`);
    const converted = described.map(({ column_name, column_type }) => {
      const conversion = conversions.find(([pattern]) => pattern.test(String(column_type)))?.[1];
      return { name: String(column_name), ...(conversion ?? ({ type: 'text' } as const)) };
    });
    return {
      columns: await withoutLarge(query, from, converted),
      images: await imageColumns(query, from, described, options, path),
    };
  }).catch((error: unknown) => {
    throw damaged(path, error);
  });
  const sqlOf = new Map(
    columns.map(({ name, sql = (column) => column }) => [
      name,
      images.get(name)?.base64 ?? sql(sqlName(name)),
    ]),
  );

  /** Columns by number, as DuckDB takes names for the same that differ in case; images come as text. */
  async function* batches(
    selected: readonly ColumnInfo[],
    reject: Reject,
    { few, verbatim = [] }: Pick<ReadOptions, 'few' | 'verbatim'>,
  ): AsyncGenerator<RecordBatch> {
    const numbered: ColumnInfo[] = [
      ...selected.map(
        ({ name, type }, i) => ({ name: `v${i}`, type: images.has(name) ? 'text' : type }) as const,
      ),
      ...verbatim.map((_, i) => ({ name: `t${i}`, type: 'text' }) as const),
    ];
    const values = selected.map(({ name }, i) => `${sqlOf.get(name)} AS v${i}`);
    const texts = verbatim.map((name, i) => `${sqlName(name)}::VARCHAR AS t${i}`);
    const table = `(SELECT ${[...values, ...texts].join(', ')} FROM ${from})`;
    for await (const batch of tableBatches(table, numbered, { few })) {
      const cells = (number: string) => batch.columns[number].values as (string | null)[];
      const named: RecordBatch = {
        rows: batch.rows,
        columns: Object.fromEntries(selected.map(({ name }, i) => [name, batch.columns[`v${i}`]])),
        ...(verbatim.length > 0 && {
          texts: Object.fromEntries(verbatim.map((name, i) => [name, cells(`t${i}`)])),
        }),
      };
      const rejectNamed: Reject = ({ column, ...bad }) =>
        reject({ ...bad, column: selected[Number(column!.slice(1))].name });
      yield withoutFaults(named, batch.faults, path, rejectNamed);
    }
  }

  return {
    notes: [...images].flatMap(([name, { decoder }]) =>
      (decoder.notes ?? []).map((note) => `column "${name}": ${note}`),
    ),
    columns: columns.map(
      ({ name, type, format }) => images.get(name)?.column ?? { name, type, ...(format && { format }) },
    ),
    async *read(selected, reject, readOptions = {}) {
      try {
        // Lists and images are found bad one after the other, and told in the order of the file.
        const rejects = orderedRejects(reject);
        const read = batches(selected, rejects.note, readOptions);
        yield* withImages(images, read, selected, rejects, path);
      } catch (error) {
        throw damaged(path, error);
      }
    },
  };
}

/** Columns of large integers are text where one of them is more than float64 holds. */
async function withoutLarge<C extends Conversion & { name: string }>(
  query: Query,
  from: string,
  columns: readonly C[],
): Promise<(C | { name: string; type: 'text'; format?: undefined; sql?: undefined })[]> {
  const large = columns.filter((column) => column.large);
  if (large.length === 0) return [...columns];
  const most = Number.MAX_SAFE_INTEGER;
  const tests = large.map(
    ({ name }, i) => `bool_or(${sqlName(name)} NOT BETWEEN -${most} AND ${most}) AS c${i}`,
  );
  const [exceeds] = await query(`SELECT ${tests.join(', ')} FROM ${from}`);
  const text = new Set(large.filter((_, i) => exceeds[`c${i}`] === true).map(({ name }) => name));
  return columns.map((column) => (text.has(column.name) ? { name: column.name, type: 'text' } : column));
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
