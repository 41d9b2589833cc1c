/** JSON of one object that holds a table: by columns, in one key, or as pandas splits it. Read as a whole. */
import { InputError, listed } from '../../errors.js';
import { quoteCell } from '../bad-records.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { byteChunks, isDamagedText, wholeContent } from '../bytes/bytes.js';
import { numberList, type ObjectRecord, objectReader } from '../object-records.js';
import type { Reader } from '../reader.js';
import type { ReaderOptions } from '../reader-options.js';
import { jsonCell, jsonlReader, readableJson } from './jsonl.js';

const MAX_BYTES = 1 << 28;

const EXPECTED =
  'expected an array of objects, columns of one length as in {"x": [1, 2], "y": [3, 4]}, or one key with an array of objects; with pandas: df.to_json("data.json", orient="records")';

type Json = Readonly<Record<string, unknown>>;
type Table = { readonly records: number; at(row: number): Json };

/**
 * The columns are those of the object:
 *
 * - `{"x": [1, 2], "y": [3, 4]}`, lists of one length;
 * - `{"data": [{"x": 1, "y": 3}], …}`, where no other key holds a list of objects;
 * - `{"columns": ["x", "y"], "data": [[1, 3]]}` and `{"x": {"0": 1}, "y": {"0": 3}}`, as pandas writes them.
 *
 * Any other object on a line of its own is a file of one record. Throws InputError for one that goes over several lines.
 */
export async function jsonTableReader(
  file: ByteFile,
  { missing, lists }: ReaderOptions = {},
): Promise<Reader> {
  const bytes = await wholeContent(file, MAX_BYTES, 'write one object a line, and name it .jsonl');
  const text = new TextDecoder().decode(bytes);
  if (isDamagedText(text)) throw new InputError(`${file.name}: not valid UTF-8`);
  const object = parsed(text, file.name);
  const table = tableOf(object, file.name);
  if (table === undefined) {
    if (!text.trim().includes('\n')) return jsonlReader(file, { missing, lists });
    const keys = Object.keys(object);
    throw new InputError(
      `${file.name}: one JSON object with the keys ${listed(keys, 6)}, no table; ${EXPECTED}`,
    );
  }
  return objectReader(file.name, {
    missing,
    lists,
    records: () => recordsOf(table, text.length),
    nestedCell: jsonCell,
    listCell: numberList,
    expected: 'records',
  });
}

function parsed(given: string, path: string): Json {
  const text = readableJson(given);
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    const { message } = cause as Error;
    const at = /position (\d+)/.exec(message)?.[1];
    const line = at === undefined ? undefined : text.slice(0, Number(at)).split('\n').length;
    const place = at === undefined ? '' : ` near ${quoteCell(text.slice(Number(at), Number(at) + 30))}`;
    const why = message.split('\n', 1)[0].slice(0, 120);
    throw new InputError(`${path}: ${line ? `line ${line}: ` : ''}not valid JSON${place} (${why})`, {
      cause,
    });
  }
}

async function* recordsOf(table: Table, characters: number): AsyncGenerator<ObjectRecord> {
  const size = Math.ceil(characters / table.records);
  for (let row = 0; row < table.records; row++) yield { row, size, object: table.at(row) };
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The table of an object, or undefined where it is none. Throws InputError for one that contradicts itself. */
function tableOf(object: Json, path: string): Table | undefined {
  const entries = Object.entries(object);
  const { columns, data } = object;
  if (Array.isArray(columns) && Array.isArray(data) && data.length > 0 && data.every(Array.isArray))
    return splitTable(columns, data, path);
  const lists = entries.filter(([, value]) => Array.isArray(value)) as [string, unknown[]][];
  const tables = lists.filter(([, list]) => list.length > 0 && list.every(isObject));
  if (tables.length === 1) {
    const [[, list]] = tables;
    return { records: list.length, at: (row) => list[row] as Json };
  }
  if (tables.length > 1) {
    const names = tables.map(([name]) => name).join(', ');
    throw new InputError(`${path}: several tables (${names}); write one of them to a file of its own`);
  }
  if (lists.length > 0 && lists.length === entries.length) return columnTable(lists, path);
  return indexTable(entries);
}

function splitTable(columns: readonly unknown[], data: readonly unknown[][], path: string): Table {
  const names = columns.map(String);
  const odd = data.findIndex((cells) => cells.length !== names.length);
  if (odd >= 0) {
    throw new InputError(
      `${path}: record ${odd} of "data": expected ${names.length} values as "columns" has names, got ${data[odd].length}`,
    );
  }
  return { records: data.length, at: (row) => recordOf(names, (j) => data[row][j]) };
}

function columnTable(lists: readonly [string, unknown[]][], path: string): Table {
  const [[first, { length }]] = lists;
  for (const [name, list] of lists) {
    if (list.length === length) continue;
    throw new InputError(
      `${path}: columns of one length are expected, but "${first}" has ${length} values and "${name}" has ${list.length}`,
    );
  }
  if (length === 0) throw new InputError(`${path}: no records`);
  const names = lists.map(([name]) => name);
  return { records: length, at: (row) => recordOf(names, (j) => lists[j][1][row]) };
}

/**
 * As pandas writes a table: for each column an object of its values by the index, which is numbers; or, with
 * `orient="index"`, for each index an object of values by column.
 */
function indexTable(entries: readonly [string, unknown][]): Table | undefined {
  if (entries.length < 2 || !entries.every(([, value]) => isObject(value))) return undefined;
  const objects = entries as [string, Json][];
  const keys = Object.keys(objects[0][1]);
  const alike = objects.every(([, value]) => {
    const own = Object.keys(value);
    return own.length === keys.length && keys.every((key) => Object.hasOwn(value, key));
  });
  if (!alike || keys.length === 0) return undefined;
  const areNumbers = (names: readonly string[]) => names.every((name) => /^\d+$/.test(name));
  const outer = objects.map(([name]) => name);
  if (areNumbers(keys) && !areNumbers(outer)) {
    return { records: keys.length, at: (row) => recordOf(outer, (j) => objects[j][1][keys[row]]) };
  }
  return areNumbers(outer) ? { records: objects.length, at: (row) => objects[row][1] } : undefined;
}

/** Without a prototype, so that any name is a name like others. */
function recordOf(names: readonly string[], value: (j: number) => unknown): Json {
  const record: Record<string, unknown> = Object.create(null);
  for (let j = 0; j < names.length; j++) record[names[j]] = value(j);
  return record;
}

const [QUOTE, BACKSLASH, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = new TextEncoder().encode(
  '"\\{}[]',
);

/**
 * Whether the first JSON object of a text is all that it holds. Reads no further than the beginning of a second one, nor
 * than a table that is read.
 */
export async function isOneObject(file: ByteFile): Promise<boolean> {
  let read = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let closed = false;
  for await (const chunk of byteChunks(file)) {
    read += chunk.length;
    if (read > MAX_BYTES) return true;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      if (closed && byte > 32) return false;
      if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) closed = true;
    }
  }
  return true;
}
