/** From an opened source to tokens: which records may be learned from, and in what order they come. */
import { InputError } from '../errors.js';
import { describeBadRecord, type OnBadRecord, rejectBy } from '../records/bad-records.js';
import { gatherBlocks } from '../records/batch.js';
import { isIdName, splitByName } from '../records/column-roles.js';
import {
  type BadRecord,
  type ColumnValues,
  type DataSource,
  isCellType,
  type RecordBatch,
} from '../records/record-batch.js';
import { type Part, partNamed, partOf } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** Gives the part of each record of a batch; undefined for a record that is in none. */
export type Partition = (batch: RecordBatch) => (Part | undefined)[];

export interface PartitionOptions {
  /** The column that says so; without it parts are drawn. */
  readonly splitColumn?: string;
  readonly seed: number;
  readonly validFraction: number;
  readonly testFraction: number;
}

/** The split column that is honoured: the one asked for, or else the one that its name tells. */
export function findSplitColumn(source: DataSource, asked?: string): string | undefined {
  if (asked === undefined) return splitByName(source.columns);
  if (source.columns.some(({ name }) => name === asked)) return asked;
  throw new InputError(
    `${source.path}: there is no column "${asked}" to split by; its columns are ${source.columns.map(({ name }) => name).join(', ')}`,
  );
}

/** The column whose value draws a record's part, so that records of one id stay together. */
export const idColumnOf = (source: DataSource): string | undefined =>
  source.columns.find(({ name, type }) => isIdName(name) && isCellType(type))?.name;

/** The columns a partition reads. */
export const partitionColumns = (source: DataSource, splitColumn: string | undefined): string[] => {
  return [splitColumn, idColumnOf(source)].filter((name) => name !== undefined);
};

const cellText = (column: ColumnValues | undefined, row: number): string | undefined => {
  if (column === undefined || (column.type !== 'number' && column.type !== 'text')) return undefined;
  const value = column.values[row];
  return value === null || Number.isNaN(value) ? undefined : String(value);
};

/** The part of each record of a batch, by its place. */
function eachRecord(batch: RecordBatch, partAt: (row: number) => Part | undefined): (Part | undefined)[] {
  const parts: (Part | undefined)[] = [];
  for (let row = 0; row < batch.rows.length; row++) parts.push(partAt(row));
  return parts;
}

/**
 * Honours a split column where there is one; training records then give some to validation only if the column names
 * no validation part. Without one, parts are drawn by hashing the id (or else the row number) with the seed.
 */
export async function partition(
  source: DataSource,
  { splitColumn, seed, validFraction, testFraction }: PartitionOptions,
): Promise<Partition> {
  const idColumn = idColumnOf(source);
  const drawn = (batch: RecordBatch, row: number, test: number) => {
    const id = cellText(idColumn === undefined ? undefined : batch.columns[idColumn], row);
    return partOf(id ?? String(batch.rows[row]), seed, { valid: validFraction, test });
  };
  if (splitColumn === undefined)
    return (batch) => eachRecord(batch, (row) => drawn(batch, row, testFraction));
  const named = new Set<Part>();
  for await (const batch of source.read({ columns: [splitColumn] })) {
    for (let row = 0; row < batch.rows.length; row++) {
      const part = partNamed(cellText(batch.columns[splitColumn], row) ?? '');
      if (part) named.add(part);
    }
  }
  if (!named.has('train')) {
    throw new InputError(
      `${source.path}: column "${splitColumn}" marks no record as train; name another with --split-column`,
    );
  }
  return (batch) =>
    eachRecord(batch, (row) => {
      const part = partNamed(cellText(batch.columns[splitColumn], row) ?? '');
      return part === 'train' && !named.has('valid') ? drawn(batch, row, 0) : part;
    });
}

/** Copies the values at the given places; a loop, since `from` with a function takes about as long as parsing the file. */
function copyAt<Values extends Float64Array | Int32Array>(
  from: Values,
  places: ArrayLike<number>,
  to: Values,
): Values {
  for (let i = 0; i < places.length; i++) to[i] = from[places[i]];
  return to;
}

function selectSeries(
  { values, offsets, channels }: Extract<ColumnValues, { type: 'series' }>,
  places: ArrayLike<number>,
): ColumnValues {
  const selected = new Int32Array(places.length + 1);
  for (let i = 0; i < places.length; i++) {
    selected[i + 1] = selected[i] + offsets[places[i] + 1] - offsets[places[i]];
  }
  const copied = new Float32Array(selected[places.length] * channels);
  for (let i = 0; i < places.length; i++) {
    const record = values.subarray(offsets[places[i]] * channels, offsets[places[i] + 1] * channels);
    copied.set(record, selected[i] * channels);
  }
  return { type: 'series', values: copied, offsets: selected, channels };
}

/** The records of a batch at the given places. */
export function selectRecords(batch: RecordBatch, places: ArrayLike<number>): RecordBatch {
  const count = places.length;
  const columns: Record<string, ColumnValues> = {};
  for (const [name, column] of Object.entries(batch.columns)) {
    if (column.type === 'number') {
      columns[name] = { type: 'number', values: copyAt(column.values, places, new Float64Array(count)) };
    } else if (column.type === 'text') {
      columns[name] = { type: 'text', values: Array.from(places, (place) => column.values[place]) };
    } else if (column.type === 'series') {
      columns[name] = selectSeries(column, places);
    } else {
      const size = column.shape[0] * column.shape[1] * column.shape[2];
      const values = new Uint8Array(count * size);
      for (let i = 0; i < count; i++) {
        values.set(column.values.subarray(places[i] * size, (places[i] + 1) * size), i * size);
      }
      columns[name] = { type: 'pixels', values, shape: column.shape };
    }
  }
  return { rows: copyAt(batch.rows, places, new Int32Array(count)), columns };
}

/** The place in a batch of each record of its block, which lacks what the tokenizer left out. */
export function placesOf(block: TokenBlock, batch: RecordBatch): Int32Array {
  let place = 0;
  return block.rows.map((row) => {
    while (batch.rows[place] !== row) place++;
    return place;
  });
}

/** The cells of an id column at some places, as text; null is missing. */
export function idTexts(column: ColumnValues, places: Int32Array): (string | null)[] {
  return Array.from(places, (place) => cellText(column, place) ?? null);
}

/** Throws InputError that names every column which the tokenizer reads and the source lacks. */
export function checkTokenizerColumns(source: DataSource, tokenizer: Tokenizer): void {
  const names = source.columns.map(({ name }) => name);
  const missing = tokenizer.columns.filter((name) => !names.includes(name));
  if (missing.length === 0) return;
  throw new InputError(
    `${source.path}: no column ${missing.map((name) => `"${name}"`).join(', ')}, which the run reads; it has ${names.join(', ')}; name its columns as in the data of the run`,
  );
}

/** The places in a batch of the records of one part. */
function placesIn(parts: readonly (Part | undefined)[], wanted: Part): number[] {
  const places: number[] = [];
  for (let place = 0; place < parts.length; place++) if (parts[place] === wanted) places.push(place);
  return places;
}

/** What was left out and why: counted, and the first of them kept for rejected.jsonl. */
export class RejectedRecords {
  private readonly seen = new Set<number>();
  readonly first: BadRecord[] = [];
  private static readonly KEPT = 10_000;

  get count(): number {
    return this.seen.size;
  }

  readonly report = (bad: BadRecord): void => {
    if (this.seen.has(bad.row)) return;
    this.seen.add(bad.row);
    if (this.first.length < RejectedRecords.KEPT) this.first.push(bad);
  };

  /** One sentence, or undefined when nothing was left out. */
  summary(): string | undefined {
    if (this.count === 0) return undefined;
    const example = describeBadRecord(this.first[0]);
    return `${this.count} ${this.count === 1 ? 'record was' : 'records were'} left out, the first: ${example}`;
  }

  jsonLines(): Uint8Array {
    return new TextEncoder().encode(this.first.map((bad) => `${JSON.stringify(bad)}\n`).join(''));
  }
}

/**
 * Bad records of the tokenizer are treated as those of the reader: refused or skipped. In the file that it was fitted
 * on, or for labels, `auto` skips them all: an empty cell there is no sign of a wrong file.
 */
export function tokenRejecter(
  source: DataSource,
  onBadRecord: OnBadRecord,
  rejected: RejectedRecords,
  { auto = 'auto' }: { auto?: OnBadRecord } = {},
) {
  const reject = rejectBy(onBadRecord === 'auto' ? auto : onBadRecord, rejected.report);
  return (row: number, column: string, message: string): void =>
    reject({ path: source.path, row, column, message });
}

/** Held-out records may have letters of their own, and so may records that fitting did not get to. */
export const KEEP_UNSEEN = { unseen: 'keep' } as const;

export interface TokenStreamOptions {
  readonly source: DataSource;
  readonly tokenizer: Tokenizer;
  readonly parts: Partition;
  readonly splitColumn?: string;
  readonly reject: (row: number, column: string, message: string) => void;
  /** Most tokens in a block. */
  readonly capacity: number;
}

/** Records held out for validation, at most; more are not needed to see a loss fall. */
const VALIDATION_RECORDS = 512;

/**
 * The training records of one pass, in blocks of at most `capacity` tokens. `validation` is given the tokens of
 * held-out records as they pass by, until it has enough.
 */
export async function* trainingBlocks(
  options: TokenStreamOptions,
  validation?: TokenBlock[],
): AsyncGenerator<TokenBlock> {
  const { source, tokenizer, parts, splitColumn, reject, capacity } = options;
  let heldOut = 0;
  async function* tokens(): AsyncGenerator<TokenBlock> {
    const columns = [...new Set([...tokenizer.columns, ...partitionColumns(source, splitColumn)])];
    for await (const batch of source.read({ columns })) {
      const partOfRow = parts(batch);
      if (validation && heldOut < VALIDATION_RECORDS) {
        const block = tokenizer.encode(batch, reject, {
          ...KEEP_UNSEEN,
          places: placesIn(partOfRow, 'valid'),
        });
        heldOut += block.count;
        if (block.count > 0) validation.push(block);
      }
      const block = tokenizer.encode(batch, reject, { ...KEEP_UNSEEN, places: placesIn(partOfRow, 'train') });
      if (block.count > 0) yield block;
    }
  }
  yield* gatherBlocks(tokens(), capacity);
}

/** The training records themselves, for fitting a tokenizer. */
export async function* trainingRecords(
  source: DataSource,
  parts: Partition,
  columns: readonly string[],
  splitColumn: string | undefined,
): AsyncGenerator<RecordBatch> {
  const wanted = [...new Set([...columns, ...partitionColumns(source, splitColumn)])];
  for await (const batch of source.read({ columns: wanted })) {
    const places = placesIn(parts(batch), 'train');
    if (places.length > 0) yield places.length === batch.rows.length ? batch : selectRecords(batch, places);
  }
}
