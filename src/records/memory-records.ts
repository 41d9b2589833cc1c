/** Records that are in memory, read as those of a JSON Lines file are. */
import { InputError, listed } from '../errors.js';
import { describeBadRecord } from './bad-records.js';
import { listColumns, type Schema } from './cells/schema.js';
import { numberList, objectReader } from './object-records.js';
import { sourceOf, typed } from './open-bytes.js';
import { jsonCell } from './readers/jsonl.js';
import type { BadRecord, ColumnValues, DataSource, PixelShape, RecordBatch } from './record-batch.js';

/** A record: its cells by column, or the cell alone where a model reads one column. */
export type MemoryRecord = string | ArrayLike<number> | Readonly<Record<string, unknown>>;

/** What the records of a model are. */
export interface MemoryColumns {
  /** The columns that the model reads. */
  readonly columns: readonly string[];
  /** How the columns of its training file were read. */
  readonly schema?: Schema;
  /** Where the one column holds images: the shape of each. */
  readonly shape?: PixelShape;
}

/** How records without a file are called in messages. */
const NAME = 'records';

const isCell = (record: MemoryRecord): record is string | ArrayLike<number> =>
  typeof record === 'string' || Array.isArray(record) || ArrayBuffer.isView(record);

/**
 * A value as JSON would have it: a typed array as a list, a date as ISO 8601 writes it in UTC, without a time of midnight.
 * Throws InputError for what is no value, such as a function that was not called.
 */
function asCell(value: unknown, row: number, column: string): unknown {
  const refuse = (got: string) => {
    throw new InputError(
      `records: record ${row}, column "${column}": expected a number, a text, a date, a list or null, got ${got}`,
    );
  };
  if (typeof value === 'function' || typeof value === 'symbol') return refuse(`a ${typeof value}`);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) return refuse('an invalid date');
    return value.toISOString().replace('.000Z', 'Z').replace('T00:00:00Z', '');
  }
  if (ArrayBuffer.isView(value) && 'length' in value) {
    const list = Array.from(value as unknown as ArrayLike<number | bigint>);
    return list.map((own) => (typeof own === 'bigint' ? Number(own) : own));
  }
  return value;
}

/** The records as they are now, whatever becomes of the caller's array, objects and lists; what is in lists is not copied. */
export const copyRecords = (records: readonly MemoryRecord[]): readonly MemoryRecord[] =>
  Array.isArray(records)
    ? Array.from(records, (record) => {
        if (typeof record !== 'object' || record === null) return record;
        if (ArrayBuffer.isView(record)) return Array.from(record as unknown as ArrayLike<number>);
        return Array.isArray(record) ? [...record] : { ...record };
      })
    : records;

/** Throws InputError that names the first record which is none, or has not the columns. A bad cell is found as it is read. */
export async function memorySource(
  records: readonly MemoryRecord[],
  { columns, schema, shape }: MemoryColumns,
): Promise<DataSource> {
  if (!Array.isArray(records)) throw new InputError('records: expected an array of records');
  if (records.length === 0) throw new InputError('records: expected at least one record, got none');
  const objects = Array.from(records, (record, row) => asObject(record, row, columns));
  const about = { path: NAME, files: [], format: 'jsonl' as const, bytes: 0 };
  if (shape) return pixelSource(objects, columns[0], shape, about);
  const reader = await objectReader(NAME, {
    async *records() {
      for (const [row, object] of objects.entries()) yield { row, size: 0, object };
    },
    nestedCell: jsonCell,
    listCell: numberList,
    lists: schema && listColumns(schema),
    missing: schema?.missing,
    expected: 'an object, or a text or list where the model reads one column',
  });
  const options = { schema, onBadRecord: 'fail' as const };
  const source = sourceOf(await typed(NAME, 'jsonl', reader, options), about, options);
  // Whoever asks for records in memory has no command line on which to skip a bad one.
  const reject = (bad: BadRecord) => {
    throw new InputError(describeBadRecord(bad));
  };
  return { ...source, read: (wanted) => source.read({ reject, ...wanted }) };
}

function asObject(
  record: MemoryRecord,
  row: number,
  columns: readonly string[],
): Readonly<Record<string, unknown>> {
  if (isCell(record)) {
    if (columns.length === 1) return { [columns[0]]: asCell(record, row, columns[0]) };
    throw new InputError(
      `records: record ${row} is ${typeof record === 'string' ? 'a text' : 'a list'}, and the model reads the columns ${listed(columns)}; give objects with these keys`,
    );
  }
  if (typeof record !== 'object' || record === null)
    throw new InputError(`records: record ${row}: expected an object or a text, got ${String(record)}`);
  const lacking = columns.filter((name) => !Object.hasOwn(record, name));
  if (lacking.length > 0)
    throw new InputError(
      `records: record ${row} has no ${listed(lacking)}; the model reads ${listed(columns)}; a missing value is null`,
    );
  return Object.fromEntries(columns.map((name) => [name, asCell(record[name], row, name)]));
}

/** Images, each a list of height × width × channels numbers 0 … 255. */
function pixelSource(
  objects: readonly Readonly<Record<string, unknown>>[],
  name: string,
  shape: PixelShape,
  about: Pick<DataSource, 'path' | 'files' | 'format' | 'bytes'>,
): DataSource {
  const size = shape.reduce((product, side) => product * side, 1);
  const values = new Uint8Array(objects.length * size);
  objects.forEach((object, row) => {
    const pixels = object[name];
    if (!Array.isArray(pixels) || pixels.length !== size)
      throw new InputError(
        `records: record ${row}, column "${name}": expected ${size} numbers, ${shape.join(' × ')}, got ${Array.isArray(pixels) ? pixels.length : typeof pixels}`,
      );
    const odd = pixels.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value <= 255));
    if (odd >= 0)
      throw new InputError(
        `records: record ${row}, column "${name}": expected integers 0 … 255, got ${String(pixels[odd])} at ${odd}`,
      );
    values.set(pixels as number[], row * size);
  });
  const columns: Record<string, ColumnValues> = { [name]: { type: 'pixels', values, shape } };
  const batch: RecordBatch = { rows: Int32Array.from(objects.keys()), columns };
  return sourceOf(
    {
      columns: [{ name, type: 'pixels', shape }],
      leftOut: [],
      async *read() {
        yield batch;
      },
    },
    about,
    { onBadRecord: 'fail' },
  );
}
