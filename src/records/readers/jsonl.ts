/**
 * JSON Lines: one object per line. Read here and not through DuckDB, whose JSON reader either stops at a bad line
 * or turns it into missing cells without saying so, and rounds 2.5 to 2 in a column that began with integers.
 */
import { quoteCell, type Reject } from '../bad-records.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { isDamagedText, lineChunks } from '../bytes/bytes.js';
import { isRounded } from '../cells/cell-format.js';
import { type NoCell, numberList, numbersCell, type ObjectRecord, objectReader } from '../object-records.js';
import type { Reader } from '../reader.js';
import type { ReaderOptions } from '../reader-options.js';

/** Columns are the keys of the objects; for lists of numbers see `jsonCell`. */
export function jsonlReader(file: ByteFile, { missing, lists }: ReaderOptions = {}): Promise<Reader> {
  return objectReader(file.name, {
    missing,
    lists,
    records: (reject) => lineRecords(file, reject),
    nestedCell: jsonCell,
    listCell: numberList,
    expected: 'one JSON object per line',
  });
}

async function* lineRecords(file: ByteFile, reject: Reject): AsyncGenerator<ObjectRecord> {
  let row = 0;
  for await (const { firstLine, lines } of lineChunks(file)) {
    for (let i = 0; i < lines.length; i++) {
      if (lines[i].trim() === '') continue;
      const record = jsonRecord(lines[i], { path: file.name, row, line: firstLine + i }, reject);
      if (record) yield record;
      row++;
    }
  }
}

/** The record of a JSON text, or undefined when that is not one object; it is then rejected. */
export function jsonRecord(
  text: string,
  where: { path: string; row: number; line: number },
  reject: Reject,
): ObjectRecord | undefined {
  const damaged = isDamagedText(text);
  const object = damaged ? undefined : parseObject(text);
  if (object) {
    const spelled = () => parseObject(quotedNumbers(text, () => true)) ?? object;
    return { row: where.row, line: where.line, size: text.length, object, spelled };
  }
  reject({
    ...where,
    message: damaged ? 'not valid UTF-8' : `expected one JSON object, got ${quoteCell(text)}`,
  });
  return undefined;
}

/** A string, also one that does not end, or a number or word outside of strings. */
const TOKENS = /"(?:[^"\\]|\\.)*(?:"|\\?$)|-?Infinity|NaN|-?\d[\d.eE+-]*/gs;

/** The text with every number outside of strings that is `wanted` in quotes. */
const quotedNumbers = (text: string, wanted: (number: string) => boolean): string =>
  text.replace(TOKENS, (token) =>
    /^[-\d]/.test(token) && !token.endsWith('y') && wanted(token) ? `"${token}"` : token,
  );

/** The same JSON with integers that float64 would round as text, and the NaN and Infinity that Python writes as null. */
export function readableJson(given: string): string {
  const text = /(?<![.\d])\d{16}/.test(given) ? quotedNumbers(given, isRounded) : given;
  return /NaN|Infinity/.test(text)
    ? text.replace(TOKENS, (token) => (/^(NaN|-?Infinity)$/.test(token) ? 'null' : token))
    : text;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    return objectOf(JSON.parse(readableJson(text)));
  } catch {
    return undefined;
  }
}

const objectOf = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;

/**
 * A list of one number is that number, of none, nothing, and a list of integers or booleans those numbers joined by a
 * space. Other lists and tables of numbers are no cell; all else is its JSON text.
 */
export function jsonCell(value: object | bigint): number | string | null | NoCell {
  try {
    return plainCell(value);
  } catch (error) {
    if (error instanceof RangeError) return { what: 'a value that is nested too deep or too long' };
    if (error instanceof TypeError)
      return { what: 'a value that JSON does not have, or one that holds itself' };
    throw error;
  }
}

function plainCell(value: object | bigint): number | string | null | NoCell {
  if (!Array.isArray(value)) return JSON.stringify(value);
  if (value.length === 0) return null;
  const sizes = [value.length];
  let first: unknown = value[0];
  for (; Array.isArray(first); first = first[0]) sizes.push(first.length);
  if (typeof first !== 'number' && typeof first !== 'boolean') return JSON.stringify(value);
  return numbersCell(value) ?? { what: `a list of [${sizes.join(', ')}] numbers` };
}
