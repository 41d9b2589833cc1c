/** JSON: one array of objects, read as a stream of its elements, or one object that holds a table. */
import { InputError } from '../../errors.js';
import { quoteCell, type Reject } from '../bad-records.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { byteChunks, contentHead } from '../bytes/bytes.js';
import { numberList, type ObjectRecord, objectReader } from '../object-records.js';
import type { Reader } from '../reader.js';
import type { ReaderOptions } from '../reader-options.js';
import { jsonTableReader } from './json-table.js';
import { jsonCell, jsonRecord } from './jsonl.js';

/** A longer element would near the longest string the runtime can hold. */
const MAX_ELEMENT_BYTES = 1 << 28;

const [QUOTE, BACKSLASH, COMMA, NEWLINE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] =
  new TextEncoder().encode('"\\,\n{}[]');
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** As of JSON Lines, the columns are the keys of the objects. For tables in one object see `jsonTableReader`. */
export async function jsonReader(file: ByteFile, options: ReaderOptions = {}): Promise<Reader> {
  const head = await contentHead(file, 4096);
  if (head.subarray(byteOrderMark(head)).find((byte) => byte > 32) === OPEN_OBJECT)
    return jsonTableReader(file, options);
  return objectReader(file.name, {
    missing: options.missing,
    lists: options.lists,
    records: (reject) => arrayRecords(file, reject),
    nestedCell: jsonCell,
    listCell: numberList,
    expected: 'an array of JSON objects',
  });
}

async function* arrayRecords(file: ByteFile, reject: Reject): AsyncGenerator<ObjectRecord> {
  let row = 0;
  for await (const { line, text } of arrayElements(file)) {
    const record = jsonRecord(text, { path: file.name, row: row++, line }, reject);
    if (record) yield record;
  }
}

interface ArrayElement {
  /** Line on which it begins, counted from 1. */
  readonly line: number;
  readonly text: string;
}

/**
 * The texts between the commas of an array. Only strings and brackets are understood here, which are single bytes in
 * UTF-8; what an element is, its text says. Throws InputError where the array itself is broken.
 */
async function* arrayElements(file: ByteFile): AsyncGenerator<ArrayElement> {
  let line = 1;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let closed = false;
  let elements = 0;
  /** Whether an element has begun, on which line, and its bytes of earlier chunks. */
  let begun = false;
  let firstLine = 1;
  let parts: Uint8Array[] = [];
  let held = 0;
  const fail = (message: string) => new InputError(`${file.name}: line ${line}: ${message}`);

  for await (const chunk of byteChunks(file)) {
    const first = line === 1 && depth === 0 && !closed;
    let start = 0;
    const take = (end: number): string => {
      const text = utf8.decode(concatenated([...parts, chunk.subarray(start, end)]));
      begun = false;
      parts = [];
      held = 0;
      return text.trimEnd();
    };
    for (let i = first ? byteOrderMark(chunk) : 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === NEWLINE) line++;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      // Space, tab and line ends.
      if (byte <= 32) continue;
      if (depth === 0) {
        if (closed || byte !== OPEN_ARRAY) {
          const got = quoteCell(utf8.decode(chunk.subarray(i, i + 40)));
          throw fail(
            `expected ${closed ? 'nothing after the array' : '"[" and an array of objects'}, got ${got}`,
          );
        }
        depth = 1;
        continue;
      }
      if (depth === 1 && (byte === COMMA || byte === CLOSE_ARRAY)) {
        if (begun) {
          elements++;
          yield { line: firstLine, text: take(i) };
        } else if (elements > 0 || byte === COMMA)
          throw fail('expected an object, got nothing between commas');
        if (byte === CLOSE_ARRAY) {
          depth = 0;
          closed = true;
        }
        continue;
      }
      if (!begun) {
        begun = true;
        firstLine = line;
        start = i;
      }
      if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        if (--depth === 0) throw fail('"}" without "{"');
      }
    }
    if (!begun) continue;
    parts.push(chunk.subarray(start));
    held += chunk.length - start;
    if (held > MAX_ELEMENT_BYTES) {
      line = firstLine;
      throw fail(
        `an element is longer than ${MAX_ELEMENT_BYTES >> 20} MiB; is a quote or a bracket missing?`,
      );
    }
  }
  if (!closed) throw fail('the array is not closed by "]"; the file is truncated, copy or download it again');
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function byteOrderMark(chunk: Uint8Array): number {
  return chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? 3 : 0;
}
