/** Parquet without a database, through hyparquet: the columns of `sources/parquet.ts`, but for structures and encoded images. */
import { gunzipSync } from 'fflate';
import { decompress } from 'fzstd';
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  type ParquetParsers,
  type ParquetScan,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
import { InputError } from '../../errors.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { compressionOf } from '../bytes/compression.js';
import { decodeLz4Block } from '../bytes/lz4.js';
import type { CellFormat } from '../cells/cell-format.js';
import { seriesReader } from '../object-records.js';
import { BATCH_RECORDS, type Reader } from '../reader.js';
import type { ColumnInfo, ColumnValues, LeftOutColumn, RecordBatch } from '../record-batch.js';
import { type Fault, withoutFaults } from '../select-records.js';

/** What a column becomes; `large` integers may be more than float64 holds. */
interface Conversion {
  readonly type: 'number' | 'text' | 'series';
  readonly format?: CellFormat;
  readonly large?: boolean;
  /** How many of its units are a second, where it is a time of the day. */
  readonly perSecond?: number;
  /** How the database writes its numbers, where it is not as JavaScript does. */
  readonly spell?: (value: number) => string;
}

const date = (holds: 'date' | 'time' | 'date and time'): CellFormat => ({
  kind: 'date',
  holds,
  order: 'ymd',
});

/** Dates and times in seconds. */
const parsers: Partial<ParquetParsers> = {
  dateFromDays: (days) => (days == null ? null : days * 86_400),
  timestampFromMilliseconds: (value) => (value == null ? null : Number(value) / 1e3),
  timestampFromMicroseconds: (value) => (value == null ? null : Number(value) / 1e6),
  timestampFromNanoseconds: (value) => (value == null ? null : Number(value) / 1e9),
};

/** Beside Snappy, which hyparquet decompresses by itself. */
const compressors: Compressors = {
  GZIP: (input) => gunzipSync(input),
  ZSTD: (input, size) => decompress(input, new Uint8Array(size)),
  LZ4_RAW: decodeLz4Block,
};

const TIME_UNITS = { MILLIS: 1e3, MICROS: 1e6, NANOS: 1e9 } as const;

const withPoint = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

/** The number of fewest digits that is the same in float32. */
function shortest(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}

const isDecimal = ({ converted_type, logical_type }: SchemaTree['element']): boolean =>
  converted_type === 'DECIMAL' || logical_type?.type === 'DECIMAL';

/** Undefined for what no column can hold. */
function conversionOf({ element, children }: SchemaTree): Conversion | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (children.length > 0) {
    const [list] = children;
    const [items] = list.children;
    if ((converted !== 'LIST' && logical?.type !== 'LIST') || !items) return undefined;
    const inner = conversionOf(items);
    const numbers = inner?.type === 'series' || (inner?.type === 'number' && !inner.format);
    return numbers ? { type: 'series' } : undefined;
  }
  if (element.repetition_type === 'REPEATED') return undefined;
  if (type === 'BOOLEAN') return { type: 'text', format: { kind: 'boolean' } };
  if (converted === 'DATE' || logical?.type === 'DATE') return { type: 'number', format: date('date') };
  if (type === 'INT96' || converted?.startsWith('TIMESTAMP') || logical?.type === 'TIMESTAMP')
    return { type: 'number', format: date('date and time') };
  if (logical?.type === 'TIME')
    return { type: 'number', format: date('time'), perSecond: TIME_UNITS[logical.unit] };
  if (converted === 'TIME_MILLIS' || converted === 'TIME_MICROS')
    return { type: 'number', format: date('time'), perSecond: converted === 'TIME_MILLIS' ? 1e3 : 1e6 };
  if (isDecimal(element))
    return {
      type: 'number',
      large: !element.scale,
      spell: (value) => value.toFixed(element.scale ?? 0),
    };
  if (type === 'INT64') return { type: 'number', large: true };
  if (type === 'INT32') return { type: 'number' };
  if (type === 'DOUBLE') return { type: 'number', spell: withPoint };
  if (type === 'FLOAT' || logical?.type === 'FLOAT16')
    return { type: 'number', spell: (value) => withPoint(shortest(value)) };
  const isText =
    /^(UTF8|ENUM|JSON)$/.test(converted ?? '') || /^(STRING|ENUM|JSON|UUID)$/.test(logical?.type ?? '');
  return isText ? { type: 'text' } : undefined;
}

/**
 * Numbers become numbers, but integers of more than float64 holds text; booleans become text; dates and times seconds; lists
 * of numbers, and lists of such lists, series. Bytes and structures are left out. Throws InputError for a file that is
 * damaged or compressed as a whole.
 */
export async function parquetReader(file: ByteFile): Promise<Reader> {
  const path = file.name;
  if (await compressionOf(file))
    throw new InputError(`${path}: a compressed Parquet file; decompress it, as it is compressed inside`);
  const damaged = (error: unknown): Error =>
    error instanceof InputError
      ? error
      : new InputError(
          `${path}: not a readable Parquet file (${(error as Error).message}); copy or write it again`,
          { cause: error },
        );
  const bytes: AsyncBuffer = {
    byteLength: file.size,
    slice: (start, end = file.size) => file.slice(start, Math.min(end, file.size)).arrayBuffer(),
  };
  const scan = (metadata?: FileMetaData): Promise<ParquetScan> =>
    parquetScan({ file: bytes, metadata, parsers, compressors, geoparquet: false });
  const leftOut: LeftOutColumn[] = [];
  const conversions = new Map<string, Conversion>();
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(bytes, { parsers, geoparquet: false });
    if (Number(metadata.num_rows) === 0) throw new InputError(`${path}: no records`);
    for (const tree of parquetSchema(metadata).children) {
      const conversion = conversionOf(tree);
      const { name } = tree.element;
      // Columns are asked for by their names.
      if (conversions.has(name))
        throw new InputError(`${path}: two columns are called ${JSON.stringify(name)}; rename one of them`);
      if (!conversion)
        leftOut.push({ name, reason: 'bytes and structures in Parquet are read on a disk alone' });
      else if (conversion.large && (await hasLarge(name))) {
        const { element } = tree;
        if (element.type === 'BYTE_ARRAY') {
          leftOut.push({
            name,
            reason: 'decimals of any length that no number holds are read on a disk alone',
          });
          continue;
        }
        // Without what makes them decimals, cells come as they are stored.
        if (isDecimal(element))
          Object.assign(element, { converted_type: undefined, logical_type: undefined });
        conversions.set(name, { type: 'text' });
      } else conversions.set(name, conversion);
    }
  } catch (error) {
    throw damaged(error);
  }
  if (conversions.size === 0) throw new InputError(`${path}: no column of numbers or texts`);

  /** Whether an integer column has more than float64 holds; by the statistics of the file where it has such. */
  async function hasLarge(name: string): Promise<boolean> {
    const isWhole = (value: unknown) => typeof value === 'bigint' || typeof value === 'number';
    const isLarge = (value: unknown) => isWhole(value) && !Number.isSafeInteger(Number(value));
    const known = metadata.row_groups.map(({ columns }) => {
      const column = columns.find(({ meta_data }) => meta_data?.path_in_schema.join() === name);
      const { statistics } = column?.meta_data ?? {};
      const ends = [statistics?.min_value ?? statistics?.min, statistics?.max_value ?? statistics?.max];
      return ends.every(isWhole) ? ends.some(isLarge) : undefined;
    });
    if (known.every((large) => large !== undefined)) return known.some(Boolean);
    const { ranges, readColumn } = await scan(metadata);
    for (const range of ranges)
      for (const value of await readColumn({ column: name, ...range })) if (isLarge(value)) return true;
    return false;
  }

  return {
    columns: [...conversions].map(
      ([name, { type, format }]): ColumnInfo => ({ name, type, ...(format && { format }) }),
    ),
    leftOut,
    async *read(selected, reject, { verbatim = [] } = {}) {
      try {
        const series = selected.map(seriesReader);
        const { ranges, readColumn } = await scan(metadata);
        for (const range of ranges) {
          const cells: unknown[][] = [];
          const count = range.rowEnd - range.rowStart;
          for (const { name } of selected) {
            const own = Array.from(await readColumn({ column: name, ...range }));
            if (own.length !== count)
              throw new Error(`column ${JSON.stringify(name)} has ${own.length} cells for ${count} records`);
            cells.push(own);
          }
          for (let first = 0; first < count; first += BATCH_RECORDS) {
            const end = Math.min(count, first + BATCH_RECORDS);
            const part = (i: number) => cells[i].slice(first, end);
            const faults = new Map<number, Fault>();
            const columnOf = ({ name }: ColumnInfo, i: number): ColumnValues => {
              const conversion = conversions.get(name)!;
              if (conversion.type !== 'series') return valuesOf(conversion, part(i));
              return series[i](part(i).map(plain), (place, message) => {
                if (!faults.has(place)) faults.set(place, { column: name, message });
              });
            };
            const batch: RecordBatch = {
              rows: Int32Array.from({ length: end - first }, (_, i) => range.rowStart + first + i),
              columns: Object.fromEntries(selected.map((column, i) => [column.name, columnOf(column, i)])),
            };
            const texts = verbatim.map((name): [string, (string | null)[]] => {
              const i = selected.findIndex((column) => column.name === name);
              return [name, part(i).map((cell) => spelling(cell, conversions.get(name)!))];
            });
            const whole = verbatim.length > 0 ? { ...batch, texts: Object.fromEntries(texts) } : batch;
            const good = withoutFaults(whole, faults, path, reject);
            if (good.rows.length > 0) yield good;
          }
        }
      } catch (error) {
        throw damaged(error);
      }
    },
  };
}

function valuesOf({ type, perSecond = 1 }: Conversion, cells: readonly unknown[]): ColumnValues {
  if (type === 'text') {
    return { type, values: cells.map((cell) => (cell == null ? null : textOf(cell))) };
  }
  const numbers = Float64Array.from(cells, (cell) => {
    const value = cell == null ? Number.NaN : Number(cell) / perSecond;
    return Number.isFinite(value) ? value : Number.NaN;
  });
  return { type: 'number', values: numbers };
}

/** A list of numbers, and of lists of them, with null for what is missing. */
const plain = (cell: unknown): unknown => {
  if (cell == null) return null;
  if (Array.isArray(cell) || ArrayBuffer.isView(cell)) return Array.from(cell as Iterable<unknown>, plain);
  return typeof cell === 'bigint' ? Number(cell) : cell;
};

/** A cell as text; bytes are a large integer, the highest first. */
function textOf(cell: unknown): string {
  if (!(cell instanceof Uint8Array)) return String(cell);
  const digits = Array.from(cell, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return String(BigInt.asIntN(8 * cell.length, BigInt(`0x${digits}`)));
}

/** A cell in the characters in which the database would write it. */
function spelling(cell: unknown, { format, perSecond = 1, spell }: Conversion): string | null {
  if (cell == null) return null;
  if (format?.kind === 'date') {
    const iso = new Date((1e3 * Number(cell)) / perSecond).toISOString();
    if (format.holds === 'date') return iso.slice(0, 10);
    const time = iso.slice(11, 23).replace(/\.?0+$/, '');
    const padded = time.length < 8 ? iso.slice(11, 19) : time;
    return format.holds === 'time' ? padded : `${iso.slice(0, 10)} ${padded}`;
  }
  return spell && typeof cell === 'number' ? spell(cell) : textOf(cell);
}
