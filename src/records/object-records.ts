/** Columns from records that are objects, as those of JSON and of pickled dictionaries. */
import { InputError } from '../errors.js';
import { quoteCell, type Reject } from './bad-records.js';
import {
  BATCH_RECORDS,
  BATCH_SIZE,
  isNumeric,
  MISSING_CELLS,
  type Reader,
  SAMPLE_RECORDS,
} from './reader.js';
import type { ColumnInfo, ColumnValues, LeftOutColumn, RecordBatch } from './record-batch.js';

export interface ObjectRecord {
  readonly row: number;
  /** Where the format has lines. */
  readonly line?: number;
  /** Characters or bytes it took. */
  readonly size: number;
  readonly object: Readonly<Record<string, unknown>>;
}

/** A value that no column can hold. `what` says what it is, such as `float32[62, 3]`. */
export interface NoCell {
  readonly what: string;
}

type Cell = number | string | null | NoCell;

export interface ObjectFormat {
  /** The records from the start; those that cannot be read go to `reject`. */
  records(reject: Reject): AsyncIterable<ObjectRecord>;
  /** What a value that is no number, boolean or text becomes. */
  nestedCell(value: object | bigint): Cell;
  /** What the file should hold, in a few words. */
  readonly expected: string;
}

const missing = new Set(MISSING_CELLS);

const isNoCell = (cell: Cell): cell is NoCell => typeof cell === 'object' && cell !== null;

/**
 * Columns are the keys of the first 20,480 records, in the order they appear; later keys are not read. A key with a
 * value that no column can hold is left out.
 */
export async function objectReader(path: string, format: ObjectFormat): Promise<Reader> {
  const { columns, leftOut } = await sampleColumns(path, format);
  return {
    columns,
    leftOut,
    async *read(selected, reject) {
      const batch = new ObjectBatch(path, selected, format);
      for await (const record of format.records(reject)) {
        if (batch.add(record, reject)) yield batch.flush()!;
      }
      const rest = batch.flush();
      if (rest) yield rest;
    },
  };
}

interface KeySample {
  present: number;
  numeric: number;
  leftOut?: string;
}

async function sampleColumns(path: string, format: ObjectFormat) {
  const samples = new Map<string, KeySample>();
  let firstBad: string | undefined;
  let seen = 0;
  const noteBad: Reject = ({ row, line, message }) => {
    firstBad ??= `${path}: ${line === undefined ? `record ${row}` : `line ${line}`}: ${message}`;
  };
  for await (const { row, object } of format.records(noteBad)) {
    for (const name of Object.keys(object)) {
      let sample = samples.get(name);
      if (!sample) {
        sample = { present: 0, numeric: 0 };
        samples.set(name, sample);
      }
      if (sample.leftOut) continue;
      const cell = toCell(object[name], format);
      if (cell === null) continue;
      if (isNoCell(cell)) sample.leftOut = `${cell.what} in record ${row}; a column holds numbers or text`;
      sample.present++;
      if (typeof cell === 'number') sample.numeric++;
    }
    if (++seen === SAMPLE_RECORDS) break;
  }
  const columns: ColumnInfo[] = [];
  const leftOut: LeftOutColumn[] = [];
  for (const [name, sample] of samples) {
    if (sample.leftOut) leftOut.push({ name, reason: sample.leftOut });
    else columns.push({ name, type: isNumeric({ ...sample, leadingZero: 0 }) ? 'number' : 'text' });
  }
  if (columns.length === 0) {
    const reason = leftOut.length > 0 ? `${leftOut[0].name} is ${leftOut[0].reason}` : undefined;
    throw new InputError(
      firstBad ?? `${path}: no ${reason ? 'columns' : 'records'}; ${reason ?? `expected ${format.expected}`}`,
    );
  }
  return { columns, leftOut };
}

/** Infinite numbers are missing. */
function toCell(value: unknown, format: ObjectFormat): Cell {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'string':
      return missing.has(value) ? null : value;
    case 'boolean':
      return Number(value);
    case 'object':
    case 'bigint': {
      const cell = value === null ? null : format.nestedCell(value);
      return typeof cell === 'number' && !Number.isFinite(cell) ? null : cell;
    }
    default:
      return null;
  }
}

/** Collects the cells of records. `flush` gives what is held, or undefined when nothing is. */
class ObjectBatch {
  private rows: number[] = [];
  private cells: (number | string | null)[][];
  private size = 0;
  constructor(
    private readonly path: string,
    private readonly columns: readonly ColumnInfo[],
    private readonly format: ObjectFormat,
  ) {
    this.cells = columns.map(() => []);
  }

  /** Adds a record, or rejects it whose cell is not of its column's type. Returns true when the batch is full. */
  add({ row, line, size, object }: ObjectRecord, reject: Reject): boolean {
    const { columns, cells, rows } = this;
    for (let j = 0; j < columns.length; j++) {
      const { name, type } = columns[j];
      const cell = toCell(object[name], this.format);
      const wrong = isNoCell(cell)
        ? cell.what
        : type === 'number' && typeof cell === 'string' && quoteCell(cell);
      if (isNoCell(cell) || wrong) {
        for (let earlier = 0; earlier < j; earlier++) cells[earlier].length = rows.length;
        const message = `expected ${type === 'number' ? 'a number' : 'text'} as in the other records, got ${wrong}`;
        reject({ path: this.path, row, line, column: name, message });
        return false;
      }
      cells[j].push(type === 'text' && cell !== null ? String(cell) : cell);
    }
    rows.push(row);
    this.size += size;
    return rows.length >= BATCH_RECORDS || this.size >= BATCH_SIZE;
  }

  flush(): RecordBatch | undefined {
    const { rows, cells } = this;
    if (rows.length === 0) return undefined;
    const columns = this.columns.map(({ name, type }, j): [string, ColumnValues] => {
      if (type !== 'number') return [name, { type: 'text', values: cells[j] as (string | null)[] }];
      const values = new Float64Array(rows.length);
      for (let i = 0; i < values.length; i++) values[i] = Number(cells[j][i] ?? Number.NaN);
      return [name, { type, values }];
    });
    this.rows = [];
    this.cells = this.columns.map(() => []);
    this.size = 0;
    return { rows: Int32Array.from(rows), columns: Object.fromEntries(columns) };
  }
}

/**
 * The cell of a list of numbers or booleans: of one, that number; of integers, as labels of a sequence's tokens are,
 * those numbers joined by a space. Undefined for any other list.
 */
export function numbersCell(list: ArrayLike<unknown>): number | string | undefined {
  if (list.length === 0) return undefined;
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    const integer = typeof item === 'boolean' || typeof item === 'bigint' || Number.isInteger(item);
    if (!integer && !(list.length === 1 && typeof item === 'number')) return undefined;
  }
  return list.length === 1 ? Number(list[0]) : Array.from(list, Number).join(' ');
}
