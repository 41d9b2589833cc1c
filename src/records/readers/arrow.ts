/** Arrow IPC, as a file (also Feather version 2) or as a stream. Read as a whole by flechette. */
import type { Column, DataType, Table } from '@uwdata/flechette';
import { InputError } from '../../errors.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { wholeContent } from '../bytes/bytes.js';
import { decodeLz4Frame } from '../bytes/lz4.js';
import { namesOf } from '../cells/header.js';
import type { Reader } from '../reader.js';
import type { ColumnType, ColumnValues, LeftOutColumn } from '../record-batch.js';
import { type ColumnGroup, listSeries, slicedReader } from '../sliced-reader.js';
import { checkArrow, isWhole, MOST_EXPANSION } from './arrow-check.js';

const MAX_BYTES = 1 << 30;
/** Numbers of types and units in Arrow's own format. */
const LZ4 = 0;
const ZSTD = 1;
const TYPE = {
  dictionary: -1,
  integer: 2,
  float: 3,
  text: 5,
  boolean: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  list: 12,
  fixedList: 16,
  largeText: 20,
  largeList: 21,
  textView: 24,
} as const;
const UNITS_PER_SECOND = [1n, 1000n, 1_000_000n, 1_000_000_000n];

/**
 * Integers, floats and decimals become numbers, text and dictionaries text, booleans the text `true` and `false`, dates,
 * times and timestamps text as in ISO 8601, and lists of numbers series of one channel. 64-bit integers and decimals without
 * a fraction are text where one of them is beyond 2^53. Columns of other types are left out.
 */
export async function arrowReader(file: ByteFile): Promise<Reader> {
  const bytes = await wholeContent(file, MAX_BYTES, 'write it as Parquet');
  const table = await readTable(bytes, file.name);
  if (table.numRows === 0) throw new InputError(`${file.name}: no records`);
  const groups: ColumnGroup[] = [];
  const leftOut: LeftOutColumn[] = [];
  const wholeCells = (column: Column<unknown>, name: string) => {
    if (!isWhole(column, table.numRows)) {
      throw new InputError(
        `${file.name}: the column "${name}" is damaged: it has fewer values than it says; copy or write the file again`,
      );
    }
    try {
      return cellsOf(column);
    } catch (cause) {
      throw unreadable(file.name, cause);
    }
  };
  // Several columns may have the same name, or none.
  namesOf(table.names.map(String), table.names.length).forEach((name, i) => {
    const column: Column<unknown> = table.getChildAt(i);
    const cells = isReadable(column.type) ? wholeCells(column, name) : OTHER_TYPE;
    if (typeof cells === 'string') leftOut.push({ name, reason: cells });
    else groups.push(groupOf(name, column, cells));
  });
  if (groups.length === 0) {
    const [first] = leftOut;
    throw new InputError(
      `${file.name}: no columns; ${first ? `${first.name} is ${first.reason}` : 'expected some'}`,
    );
  }
  // The library looks at some values, such as decimals of a width that there is not, when they are asked for.
  const guarded = groups.map(
    (group): ColumnGroup => ({
      ...group,
      async read(...given) {
        try {
          return await group.read(...given);
        } catch (cause) {
          throw unreadable(file.name, cause);
        }
      },
    }),
  );
  return slicedReader(table.numRows, guarded, leftOut.length > 0 ? leftOut : undefined);
}

function unreadable(path: string, cause: unknown): Error {
  if (cause instanceof InputError) return cause;
  const why = String((cause as Error).message)
    .split('\n', 1)[0]
    .slice(0, 200);
  return new InputError(
    `${path}: not a readable Arrow file (${why}); copy or write it again, as by df.to_feather("data.feather", compression="uncompressed")`,
    { cause },
  );
}

async function readTable(bytes: Uint8Array, path: string): Promise<Table> {
  const { setCompressionCodec, tableFromIPC } = await import('@uwdata/flechette');
  const { decompress } = await import('fzstd');
  const encode = (): never => {
    throw new Error('compressed Arrow is not written');
  };
  setCompressionCodec(LZ4, { decode: decodeLz4Frame, encode });
  setCompressionCodec(ZSTD, {
    decode: (buffer, size) => {
      if (!(size >= 0 && size <= buffer.length * MOST_EXPANSION)) throw new Error('an impossible size');
      return decompress(buffer, new Uint8Array(size));
    },
    encode,
  });
  try {
    checkArrow(bytes);
    return tableFromIPC(bytes, { useBigInt: true, useBigIntTimestamp: true, useDecimalInt: true });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

const OTHER_TYPE = 'a column of bytes, structs or another type that is not read';

function isReadable(given: DataType): boolean {
  const { typeId } = given.typeId === TYPE.dictionary ? given.dictionary : given;
  return Object.values<number>(TYPE).includes(typeId);
}

interface Cells {
  readonly type: ColumnType;
  /** Of a value that is present. */
  readonly toNumber?: (value: unknown) => number;
  readonly toText?: (value: unknown) => string;
}

/** How the values of a column become cells, or in words why it has none. */
function cellsOf(column: Column<unknown>): Cells | string {
  const type = column.type.typeId === TYPE.dictionary ? column.type.dictionary : column.type;
  switch (type.typeId) {
    case TYPE.integer:
      if (type.bitWidth === 64 && !allSafe(column)) return { type: 'text', toText: String };
      return { type: 'number', toNumber: Number };
    case TYPE.decimal:
      if (type.scale === 0 && !allSafe(column)) return { type: 'text', toText: String };
      return { type: 'number', toNumber: (value) => unscaled(BigInt(value as bigint), type.scale) };
    case TYPE.float:
      return { type: 'number', toNumber: Number };
    case TYPE.text:
    case TYPE.largeText:
    case TYPE.textView:
    case TYPE.boolean:
      return { type: 'text', toText: String };
    case TYPE.date:
      return { type: 'text', toText: (value) => isoDate(Number(value)) };
    case TYPE.time:
      return { type: 'text', toText: (value) => clock(BigInt(value as number), type.unit) };
    case TYPE.timestamp:
      return {
        type: 'text',
        toText: (value) => isoTime(BigInt(value as bigint), type.unit) + (type.timezone ? 'Z' : ''),
      };
    case TYPE.list:
    case TYPE.largeList:
    case TYPE.fixedList:
      return isNumeric(type.children[0].type)
        ? { type: 'series' }
        : 'a column of lists; of them only those of numbers are read';
    default:
      return OTHER_TYPE;
  }
}

const isNumeric = ({ typeId }: DataType): boolean => typeId === TYPE.integer || typeId === TYPE.float;

/** The number that a decimal without its point stands for. */
function unscaled(digits: bigint, scale: number): number {
  const unit = 10n ** BigInt(scale);
  return Number(digits / unit) + Number(digits % unit) / Number(unit);
}

function allSafe(column: Column<unknown>): boolean {
  for (const value of column) if (value !== null && !Number.isSafeInteger(Number(value))) return false;
  return true;
}

function groupOf(name: string, column: Column<unknown>, { type, toNumber, toText }: Cells): ColumnGroup {
  const first = type === 'series' ? (column.at(0) as ArrayLike<number> | null) : null;
  const cells = <T>(start: number, end: number, convert: (value: unknown) => T): (T | null)[] =>
    Array.from({ length: end - start }, (_, i) => {
      const value = column.at(start + i);
      return value === null || value === undefined ? null : convert(value);
    });
  const values = (start: number, end: number): ColumnValues => {
    if (toText) return { type: 'text', values: cells(start, end, toText) };
    if (!toNumber) return listSeries(cells(start, end, (list) => list as ArrayLike<number>));
    const numbers = cells(start, end, toNumber);
    return {
      type: 'number',
      values: Float64Array.from(numbers, (value) => (Number.isFinite(value) ? value! : Number.NaN)),
    };
  };
  return {
    columns: [{ name, type }],
    recordBytes: 8 * Math.max(1, first?.length ?? 0),
    read: async (start, end) => ({ [name]: values(start, end) }),
  };
}

/** The day of a number of milliseconds since 1970; a date that the calendar has not stays a number. */
function isoDate(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString().replace(/T.*/, '');
}

/** As `2024-05-01T12:30:00`, with as many digits behind the seconds as are needed. */
function isoTime(ticks: bigint, unit: number): string {
  const perSecond = UNITS_PER_SECOND[unit];
  const seconds = floorDivide(ticks, perSecond);
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return String(ticks);
  return `${date.toISOString().replace(/\.000Z$/, '')}${fraction(ticks - seconds * perSecond, unit)}`;
}

/** A time of day as `12:30:00`. */
function clock(ticks: bigint, unit: number): string {
  const perSecond = UNITS_PER_SECOND[unit];
  const seconds = ticks / perSecond;
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n];
  const text = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return text + fraction(ticks % perSecond, unit);
}

const fraction = (rest: bigint, unit: number): string =>
  rest === 0n
    ? ''
    : `.${String(rest)
        .padStart(3 * unit, '0')
        .replace(/0+$/, '')}`;

const floorDivide = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b;
