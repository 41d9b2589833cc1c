/**
 * JSON Lines: one object per line. Read here and not through DuckDB, whose JSON reader either stops at a bad line
 * or turns it into missing cells without saying so, and rounds 2.5 to 2 in a column that began with integers.
 */
import { InputError } from '../../errors.js';
import { quoteCell, type Reject } from '../bad-records.js';
import { isDamagedText, lineChunks } from '../bytes.js';
import {
  BATCH_RECORDS,
  BATCH_SIZE,
  isNumeric,
  MISSING_CELLS,
  type Reader,
  SAMPLE_RECORDS,
} from '../reader.js';
import type { ColumnInfo, ColumnValues, RecordBatch } from '../record-batch.js';

type JsonObject = Record<string, unknown>;

interface JsonRecord {
  readonly row: number;
  readonly line: number;
  readonly characters: number;
  readonly object: JsonObject;
}

const missing = new Set(MISSING_CELLS);

/**
 * Columns are the keys of the first 20,480 records, in the order they appear; later keys are not read.
 * Numbers and booleans become numbers; nested values become their JSON text.
 */
export async function jsonlReader(path: string): Promise<Reader> {
  const columns = await sampleColumns(path);
  return {
    columns,
    async *read(selected, reject) {
      let records: JsonRecord[] = [];
      let characters = 0;
      for await (const record of jsonRecords(path, reject)) {
        if (!cellsFit(path, record, selected, reject)) continue;
        records.push(record);
        characters += record.characters;
        if (records.length < BATCH_RECORDS && characters < BATCH_SIZE) continue;
        yield toBatch(records, selected);
        records = [];
        characters = 0;
      }
      if (records.length > 0) yield toBatch(records, selected);
    },
  };
}

async function* jsonRecords(path: string, reject: Reject): AsyncGenerator<JsonRecord> {
  let row = 0;
  for await (const { firstLine, lines } of lineChunks(path)) {
    for (let i = 0; i < lines.length; i++) {
      const text = lines[i];
      if (text.trim() === '') continue;
      const object = isDamagedText(text) ? undefined : parseObject(text);
      if (object) yield { row, line: firstLine + i, characters: text.length, object };
      else {
        const message = isDamagedText(text)
          ? 'not valid UTF-8'
          : `expected one JSON object, got ${quoteCell(text)}`;
        reject({ path, row, line: firstLine + i, message });
      }
      row++;
    }
  }
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}

async function sampleColumns(path: string): Promise<ColumnInfo[]> {
  const counts = new Map<string, { present: number; numeric: number; leadingZero: number }>();
  let firstBad: string | undefined;
  let seen = 0;
  const noteBad: Reject = (bad) => {
    firstBad ??= `${path}: line ${bad.line}: ${bad.message}`;
  };
  for await (const { object } of jsonRecords(path, noteBad)) {
    for (const name of Object.keys(object)) {
      let count = counts.get(name);
      if (!count) {
        count = { present: 0, numeric: 0, leadingZero: 0 };
        counts.set(name, count);
      }
      const value = object[name];
      if (isMissing(value)) continue;
      count.present++;
      if (typeof value === 'number' || typeof value === 'boolean') count.numeric++;
    }
    if (++seen === SAMPLE_RECORDS) break;
  }
  if (counts.size === 0) {
    throw new InputError(firstBad ?? `${path}: no records; expected one JSON object per line`);
  }
  return [...counts].map(([name, count]) => ({ name, type: isNumeric(count) ? 'number' : 'text' }));
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && missing.has(value));
}

/** Rejects a record with text in a number column. */
function cellsFit(path: string, record: JsonRecord, columns: readonly ColumnInfo[], reject: Reject): boolean {
  for (const { name, type } of columns) {
    if (type !== 'number') continue;
    const value = record.object[name];
    if (typeof value === 'number' || typeof value === 'boolean' || isMissing(value)) continue;
    const message = `expected a number as in the other records, got ${quoteCell(typeof value === 'string' ? value : JSON.stringify(value))}`;
    reject({ path, row: record.row, line: record.line, column: name, message });
    return false;
  }
  return true;
}

function toBatch(records: readonly JsonRecord[], columns: readonly ColumnInfo[]): RecordBatch {
  const byName: Record<string, ColumnValues> = {};
  for (const { name, type } of columns) {
    if (type === 'number') {
      const values = new Float64Array(records.length);
      for (let i = 0; i < values.length; i++) {
        const value = records[i].object[name];
        const number = isMissing(value) ? Number.NaN : Number(value);
        values[i] = Number.isFinite(number) ? number : Number.NaN;
      }
      byName[name] = { type, values };
    } else {
      byName[name] = { type: 'text', values: records.map(({ object }) => toText(object[name])) };
    }
  }
  return { rows: Int32Array.from(records, ({ row }) => row), columns: byName };
}

function toText(value: unknown): string | null {
  if (isMissing(value)) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
