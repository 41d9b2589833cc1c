/** LMDB databases of pickled dictionaries, the form in which TAPE (Rao et al., 2019) is distributed. */
import { setImmediate } from 'node:timers/promises';
import { quoteCell, type Reject } from '../records/bad-records.js';
import { isDamagedText } from '../records/bytes/bytes.js';
import { isRounded } from '../records/cells/cell-format.js';
import { type NoCell, numbersCell, type ObjectRecord, objectReader } from '../records/object-records.js';
import type { Reader } from '../records/reader.js';
import { type LmdbEntry, LmdbFile } from './lmdb-file.js';
import { NumpyArray } from './numpy-array.js';
import { type PickleDictionary, type PickleValue, unpickle } from './pickle.js';
import { PickleError } from './pickle-error.js';

/** Where TAPE's files keep the number of their records. */
const COUNT_KEY = 'num_examples';

/** So many records are read before other work of the thread has its turn. */
const RECORDS_AT_A_TIME = 256;

/**
 * Columns are the keys of the dictionaries: text and bytes become text, numbers and arrays of one element numbers, and
 * vectors of integers or booleans text, joined by a space. Records whose keys are decimal numbers come in their order,
 * others in that of the keys' bytes.
 */
export function lmdbReader(path: string): Promise<Reader> {
  return objectReader(path, {
    records: (reject) => lmdbRecords(path, reject),
    nestedCell: pickleCell,
    expected: 'pickled dictionaries',
  });
}

async function* lmdbRecords(path: string, reject: Reject): AsyncGenerator<ObjectRecord> {
  const database = new LmdbFile(path);
  try {
    let row = 0;
    for (const entry of inNumericOrder(database)) {
      const key = entry.key.toString('utf8');
      if (key === COUNT_KEY) continue;
      const bytes = entry.value();
      try {
        yield { row, size: bytes.length, object: dictionary(bytes) };
      } catch (error) {
        if (!(error instanceof PickleError)) throw error;
        reject({ path, row, message: `key ${quoteCell(key)}: ${error.message}` });
      }
      if (++row % RECORDS_AT_A_TIME === 0) await setImmediate();
    }
    const announced = announcedRecords(database);
    if (announced !== undefined && announced > row) {
      reject({ path, row, message: `missing: ${COUNT_KEY} is ${announced}, but there are ${row} records` });
    }
  } finally {
    database.close();
  }
}

function dictionary(bytes: Buffer): PickleDictionary {
  const value = unpickle(bytes);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null) {
    return value as PickleDictionary;
  }
  throw new PickleError(`expected a pickled dictionary, got ${describe(value)}`);
}

function announcedRecords(database: LmdbFile): number | undefined {
  const entry = database.get(COUNT_KEY);
  if (!entry) return undefined;
  try {
    const count = unpickle(entry.value());
    return typeof count === 'number' ? count : undefined;
  } catch (error) {
    if (error instanceof PickleError) return undefined;
    throw error;
  }
}

/**
 * The entries in the order of the numbers that their keys are, if there is a key 0 or 1: one number of digits after the
 * other, each by lookups, since the order of bytes is 0, 1, 10, 100, 101, …, 11. Other keys follow.
 */
function* inNumericOrder(database: LmdbFile): Generator<LmdbEntry> {
  let read = 0;
  let digits = 0;
  if (database.get('0') ?? database.get('1')) {
    for (let before = -1; before < read && digits < 15; digits++) {
      before = read;
      for (const entry of numbersOf(database, digits + 1)) {
        read++;
        yield entry;
      }
    }
  }
  const others = database.entries - read;
  if (others === 0 || (others === 1 && database.get(COUNT_KEY))) return;
  const isRead = new RegExp(`^(0|[1-9]\\d{0,${digits - 1}})$`);
  for (const entry of database.inKeyOrder()) {
    if (digits > 0 && isRead.test(entry.key.toString('latin1'))) continue;
    read++;
    yield entry;
  }
  if (read !== database.entries) throw database.damaged('some keys are found in one way only');
}

/** The entries whose keys are decimal numbers of so many digits. There are at most as many lookups as keys. */
function* numbersOf(database: LmdbFile, digits: number): Generator<LmdbEntry> {
  const end = 10 ** digits;
  for (let next = digits === 1 ? 0 : end / 10; next < end; ) {
    const entry = database.seek(Buffer.from(String(next)));
    if (!entry) return;
    const found = entry.key.toString('latin1');
    if (found.length === digits && /^\d+$/.test(found)) {
      yield entry;
      next = Number(found) + 1;
    } else next = firstNumberAfter(found, digits);
  }
}

/** The least number of so many digits whose text comes after `key`, which is no such number. */
function firstNumberAfter(key: string, digits: number): number {
  const lead = /^\d*/.exec(key)![0].slice(0, digits);
  const past = lead.length === digits || key.charAt(lead.length) > '9';
  return (Number(lead) + (past ? 1 : 0)) * 10 ** (digits - lead.length);
}

/** A pickle may hold one long list many times; it is made a cell once. */
const cells = new WeakMap<object, ReturnType<typeof cellOf>>();

function pickleCell(value: object | bigint) {
  // An integer of more digits than a number holds is text, as in JSON.
  if (typeof value === 'bigint') return isRounded(String(value)) ? String(value) : Number(value);
  let cell = cells.get(value);
  if (cell === undefined) {
    cell = cellOf(value);
    cells.set(value, cell);
  }
  return cell;
}

function cellOf(value: object): number | string | null | NoCell {
  if (value instanceof Uint8Array) {
    const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
    return isDamagedText(text) ? { what: 'bytes that are not UTF-8' } : text;
  }
  if (value instanceof NumpyArray) {
    const { data, shape } = value;
    if (data.length === 1) return Number(data[0]);
    if (data.length === 0) return null;
    const labels = shape.length === 1 && !(data instanceof Float32Array || data instanceof Float64Array);
    return labels ? data.join(' ') : { what: describe(value) };
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? null : (numbersCell(value) ?? { what: describe(value) });
  }
  return { what: describe(value as PickleDictionary) };
}

function describe(value: PickleValue): string {
  if (value instanceof NumpyArray) return `${value.dtype}[${value.shape.join(', ')}]`;
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value === null) return 'None';
  return typeof value === 'object' ? 'a dictionary' : `a ${typeof value}`;
}
