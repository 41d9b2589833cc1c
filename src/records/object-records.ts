/** Columns from records that are objects, as those of JSON and of pickled dictionaries. */
import { InputError } from '../errors.js';
import { quoteCell, type Reject } from './bad-records.js';
import { MISSING_WORDS } from './cells/cell-format.js';
import { FEW_TEXTS, textAmongNumbers } from './cells/infer-format.js';
import {
  BATCH_RECORDS,
  BATCH_SIZE,
  isNumeric,
  LateFinds,
  lateNames,
  type Reader,
  SAMPLE_RECORDS,
} from './reader.js';
import type { ReaderOptions } from './reader-options.js';
import type { ColumnInfo, ColumnValues, LeftOutColumn, RecordBatch } from './record-batch.js';

export interface ObjectRecord {
  readonly row: number;
  /** Where the format has lines. */
  readonly line?: number;
  /** Characters or bytes it took. */
  readonly size: number;
  readonly object: Readonly<Record<string, unknown>>;
  /** The same with every number as the text that spells it, where the format has such. */
  readonly spelled?: () => Readonly<Record<string, unknown>>;
}

/** A value that no column can hold. `what` says what it is, such as `float32[62, 3]`. */
export interface NoCell {
  readonly what: string;
}

type Cell = number | string | null | NoCell;

/** A list of numbers, or one of lists of equally many: `values[step * channels + channel]`. */
export interface ListCell {
  readonly values: readonly number[];
  readonly channels: number;
}

export interface ObjectFormat {
  /** The records from the start; those that cannot be read go to `reject`. */
  records(reject: Reject): AsyncIterable<ObjectRecord>;
  /** What a value that is no number, boolean or text becomes. */
  nestedCell(value: object | bigint): Cell;
  /** The numbers of a list, or undefined for any other value. Without it no list is a column. */
  listCell?(value: unknown): ListCell | undefined;
  /** What lists are where they could be series or cells; told from the records by default. */
  readonly lists?: ReaderOptions['lists'];
  /** Words for a missing cell, beside the empty one, where numbers stand; the usual ones by default. */
  readonly missing?: readonly string[];
  /** What the file should hold, in a few words. */
  readonly expected: string;
}

const isMissing = (cell: string, { missing = MISSING_WORDS }: ObjectFormat): boolean =>
  cell.trim() === '' || missing.includes(cell) || missing.includes(cell.trim());

const isNoCell = (cell: Cell): cell is NoCell => typeof cell === 'object' && cell !== null;

/** A key of a record; a name that every object has by itself, such as `constructor`, is a key only where it is written. */
const ownValue = (object: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/**
 * Columns are the keys of the first 20,480 records, in the order they appear; later keys are not read. Lists of numbers are
 * a column of series, where the format knows lists. A key with a value that no column can hold is left out.
 */
export async function objectReader(path: string, format: ObjectFormat): Promise<Reader> {
  const { columns, leftOut, notes, known } = await sampleColumns(path, format);
  const late = new LateFinds();
  return {
    columns,
    leftOut,
    notes,
    found: () => lateNames('keys', late),
    async *read(selected, reject, { verbatim = [] } = {}) {
      const batch = new ObjectBatch(path, selected, format, verbatim);
      const note = late.reading();
      for await (const record of format.records(reject)) {
        for (const name of Object.keys(record.object))
          if (!known.has(name)) note(name, `record ${record.row}`);
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
  booleans: number;
  /** The first different texts. */
  texts: Set<string>;
  /** Whether a value is a list of numbers that is no cell. */
  lists: boolean;
  /** Values that are lists of whole numbers, and the different numbers in them, up to one more than labels would have. */
  wholeLists: number;
  whole: Set<number>;
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
        sample = {
          present: 0,
          numeric: 0,
          booleans: 0,
          texts: new Set(),
          lists: false,
          wholeLists: 0,
          whole: new Set(),
        };
        samples.set(name, sample);
      }
      if (sample.leftOut) continue;
      const value = ownValue(object, name);
      const cell = toCell(value, format);
      if (cell === null || (typeof cell === 'string' && isMissing(cell, format))) continue;
      if (isNoCell(cell) && format.listCell?.(value)) sample.lists = true;
      else if (isNoCell(cell))
        sample.leftOut = `${cell.what} in record ${row}; a column holds numbers or text`;
      else if (Array.isArray(value) && format.listCell) noteWholeList(sample, format.listCell(value));
      sample.present++;
      if (typeof cell === 'number') sample.numeric++;
      else if (typeof cell === 'string' && sample.texts.size < FEW_TEXTS) sample.texts.add(cell);
      if (typeof value === 'boolean') sample.booleans++;
    }
    if (++seen === SAMPLE_RECORDS) break;
  }
  const columns: ColumnInfo[] = [];
  const leftOut: LeftOutColumn[] = [];
  const notes: string[] = [];
  for (const [name, sample] of samples) {
    if (name === '') leftOut.push({ name: '(no name)', reason: 'a value without a name; give it one' });
    else if (format.lists?.get(name) === 'series') columns.push({ name, type: 'series' });
    else if (sample.leftOut) leftOut.push({ name, reason: sample.leftOut });
    else if (sample.lists) columns.push({ name, type: 'series' });
    else if (!format.lists?.has(name) && areMeasurements(sample)) {
      columns.push({ name, type: 'series' });
      notes.push(
        `column ${name}: lists of more than ${MOST_LABELS} different whole numbers are read as measurements; if they are codes, write them as text`,
      );
    } else if (sample.booleans > 0 && sample.booleans === sample.present) {
      columns.push({ name, type: 'text', format: { kind: 'boolean' } });
    } else if (isNumeric({ ...sample, codes: 0 })) columns.push({ name, type: 'number' });
    else {
      columns.push({ name, type: 'text' });
      const doubt = textAmongNumbers(sample.numeric, sample.present, sample.texts);
      if (doubt) notes.push(`column ${name}: ${doubt}`);
    }
  }
  if (columns.length === 0) {
    const reason = leftOut.length > 0 ? `${leftOut[0].name} is ${leftOut[0].reason}` : undefined;
    throw new InputError(
      firstBad ?? `${path}: no ${reason ? 'columns' : 'records'}; ${reason ?? `expected ${format.expected}`}`,
    );
  }
  return { columns, leftOut, notes, known: new Set(samples.keys()) };
}

/** Lists of more different whole numbers than this are measurements; of fewer, labels such as those of a sequence's tokens. */
const MOST_LABELS = 64;

function noteWholeList(sample: KeySample, list: ListCell | undefined): void {
  if (!list) return;
  sample.wholeLists++;
  for (const value of list.values) {
    if (sample.whole.size > MOST_LABELS) return;
    sample.whole.add(value);
  }
}

/** Whether most values are such lists; another value is then a bad record, as among lists of other numbers. */
const areMeasurements = ({ present, wholeLists, whole }: KeySample): boolean =>
  2 * wholeLists > present && whole.size > MOST_LABELS;

/** Infinite numbers are missing. */
function toCell(value: unknown, format: ObjectFormat): Cell {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'string':
      return value;
    case 'boolean':
      return String(value);
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
  private cells: (number | string | null | ListCell)[][];
  private texts: (string | null)[][];
  private size = 0;
  /** Of each column of series, what reads its lists. */
  private readonly lists: readonly ((value: unknown) => ListCell | Unlike)[];
  constructor(
    private readonly path: string,
    private readonly columns: readonly ColumnInfo[],
    private readonly format: ObjectFormat,
    private readonly verbatim: readonly string[],
  ) {
    this.lists = columns.map(() => alikeLists(format.listCell ?? (() => undefined)));
    this.cells = columns.map(() => []);
    this.texts = verbatim.map(() => []);
  }

  /** Adds a record, or rejects it whose cell is not of its column's type. Returns true when the batch is full. */
  add(record: ObjectRecord, reject: Reject): boolean {
    const { row, line, size, object } = record;
    const { columns, cells, rows } = this;
    let spelled: Readonly<Record<string, unknown>> | undefined;
    const spelling = () => (spelled ??= record.spelled?.());
    for (let j = 0; j < columns.length; j++) {
      const { name } = columns[j];
      const cell = this.cellOf(j, ownValue(object, name), () => spelling()?.[name]);
      if (typeof cell === 'object' && cell !== null && 'wrong' in cell) {
        for (let earlier = 0; earlier < j; earlier++) cells[earlier].length = rows.length;
        reject({ path: this.path, row, line, column: name, message: unlikeMessage(cell) });
        return false;
      }
      cells[j].push(cell);
    }
    if (this.verbatim.length > 0) {
      const source = spelling() ?? object;
      this.verbatim.forEach((name, i) => {
        const value = ownValue(source, name);
        const given = ownValue(object, name);
        if (value === undefined || value === null) this.texts[i].push(null);
        else if (typeof given === 'object' && given !== null)
          this.texts[i].push(nestedText(given, this.format));
        else this.texts[i].push(String(value));
      });
    }
    rows.push(row);
    this.size += size;
    return rows.length >= BATCH_RECORDS || this.size >= BATCH_SIZE;
  }

  private cellOf(j: number, value: unknown, spelled: () => unknown) {
    const { type } = this.columns[j];
    if (type === 'series') return this.lists[j](value);
    const cell = toCell(value, this.format);
    if (isNoCell(cell)) return { expected: type === 'number' ? 'a number' : 'text', wrong: cell.what };
    if (type === 'number' && typeof cell === 'string' && isMissing(cell, this.format)) return null;
    if (type === 'number' && typeof cell === 'string')
      return { expected: 'a number', wrong: quoteCell(cell) };
    // A number among texts is the text that the file has for it.
    if (type === 'text' && typeof value === 'number' && cell !== null) return String(spelled() ?? cell);
    return type === 'text' && cell !== null ? String(cell) : cell;
  }

  flush(): RecordBatch | undefined {
    const { rows, cells } = this;
    if (rows.length === 0) return undefined;
    const columns = this.columns.map(({ name, type }, j): [string, ColumnValues] => {
      if (type === 'series') return [name, seriesOf(cells[j] as ListCell[])];
      if (type !== 'number') return [name, { type: 'text', values: cells[j] as (string | null)[] }];
      const values = new Float64Array(rows.length);
      for (let i = 0; i < values.length; i++) values[i] = Number(cells[j][i] ?? Number.NaN);
      return [name, { type, values }];
    });
    const texts = Object.fromEntries(this.verbatim.map((name, i) => [name, this.texts[i]]));
    this.rows = [];
    this.cells = this.columns.map(() => []);
    this.texts = this.verbatim.map(() => []);
    this.size = 0;
    return {
      rows: Int32Array.from(rows),
      columns: Object.fromEntries(columns),
      ...(this.verbatim.length > 0 && { texts }),
    };
  }
}

/** A missing list. */
const NO_STEPS: ListCell = { values: [], channels: 1 };
const isNoList = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

/** A nested value as text: a list as JSON, another as its format gives it, or as JSON where that is no cell. */
function nestedText(value: object, format: ObjectFormat): string | null {
  const cell = Array.isArray(value) ? undefined : format.nestedCell(value);
  if (cell === null) return null;
  return typeof cell === 'string' || typeof cell === 'number' ? String(cell) : JSON.stringify(value);
}

/** A value that is not what its column holds, in words. */
interface Unlike {
  readonly expected: string;
  readonly wrong: string;
}

const unlikeMessage = ({ expected, wrong }: Unlike): string =>
  `expected ${expected} as in the other records, got ${wrong}`;

/** Reads the lists of one column: a missing one has no step, all others have as many channels as the first. */
function alikeLists(
  listCell: (value: unknown) => ListCell | undefined,
): (value: unknown) => ListCell | Unlike {
  let channels: number | undefined;
  return (value) => {
    if (isNoList(value)) return NO_STEPS;
    const list = listCell(value);
    channels ??= list?.channels;
    if (list && list.channels === channels) return list;
    const expected = (channels ?? 1) > 1 ? `a list of lists of ${channels} numbers` : 'a list of numbers';
    const widths = list && list.channels > 1 ? `lists of ${list.channels}: ` : '';
    return { expected, wrong: widths + quoteCell(JSON.stringify(value) ?? 'nothing') };
  };
}

/** Makes series of the values of one column, batch by batch. `refuse` hears by its place of what is no list like the others. */
export function seriesReader(): (
  values: readonly unknown[],
  refuse: (place: number, message: string) => void,
) => ColumnValues {
  const cellOf = alikeLists(numberList);
  return (values, refuse) =>
    seriesOf(
      values.map((value, place) => {
        const list = cellOf(value);
        if (!('wrong' in list)) return list;
        refuse(place, unlikeMessage(list));
        return NO_STEPS;
      }),
    );
}

/** Lists of the same channels as a column; missing ones have no step. */
function seriesOf(lists: readonly ListCell[]): ColumnValues {
  const channels = lists.find(({ values }) => values.length > 0)?.channels ?? 1;
  const other = lists.find(({ values, channels: own }) => values.length > 0 && own !== channels);
  if (other) throw new Error(`a series of ${channels} channels has a record of ${other.channels}`);
  const offsets = new Int32Array(lists.length + 1);
  for (let i = 0; i < lists.length; i++) offsets[i + 1] = offsets[i] + lists[i].values.length / channels;
  const values = new Float32Array(offsets[lists.length] * channels);
  for (let i = 0; i < lists.length; i++) values.set(lists[i].values, offsets[i] * channels);
  return { type: 'series', values, offsets, channels };
}

/** The numbers of a list of numbers, or of a list of lists of equally many; null and what is not finite are missing. */
export function numberList(value: unknown): ListCell | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (!Array.isArray(value[0]))
    return value.every(isNumberOrNull) ? { values: value.map(numberOrNaN), channels: 1 } : undefined;
  const channels = value[0].length;
  const even = value.every(
    (step) => Array.isArray(step) && step.length === channels && step.every(isNumberOrNull),
  );
  return channels > 0 && even ? { values: value.flat().map(numberOrNaN), channels } : undefined;
}

const isNumberOrNull = (item: unknown): boolean => typeof item === 'number' || item === null;
const numberOrNaN = (item: number | null): number =>
  item !== null && Number.isFinite(item) ? item : Number.NaN;

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
