/** Which part of a data set each record is in: what a column says, or else a draw that knows nothing but the record. */
import { InputError } from '../errors.js';
import { isIdName } from '../records/column-roles.js';
import { type ColumnValues, type DataSource, isCellType, type RecordBatch } from '../records/record-batch.js';
import { type RecordHashes, recordHashes } from '../records/record-hash.js';
import { flagNamed, type HeldOut, type Part, partNamed, partOfKey, SPLIT_SEED } from '../records/split.js';
import { hashString } from '../tensor/random.js';

/** Gives the part of each record of a batch, by its place; undefined for a record that is in none. */
export type Partition = (batch: RecordBatch) => (Part | undefined)[];

/** How a data set is split. */
export interface SplitRule {
  /** The column that says so; without it parts are drawn. */
  readonly column?: string;
  /** Beside that column, the one that marks those of its training records that are for validation. */
  readonly validation?: string;
  /**
   * The columns that make a record what it is: where no column is an id, records that are equal in all of them are in one
   * part. They are those that the encoder reads, so that a file of labels is split as the file that was learned from.
   */
  readonly columns: readonly string[];
  readonly heldOut: HeldOut;
  /** Of what is drawn; `SPLIT_SEED` by default. */
  readonly seed?: number;
}

/** The column whose value draws a record's part, so that records of one id stay together. */
export const idColumnOf = (source: DataSource): string | undefined =>
  source.columns.find(({ name, type }) => isIdName(name) && isCellType(type))?.name;

/** The columns that a partition reads. */
export function partitionColumns(source: DataSource, { column, validation, columns }: SplitRule): string[] {
  const id = idColumnOf(source);
  const told = [column, validation].filter((name) => name !== undefined);
  return [...told, ...(id === undefined ? columns : [id])];
}

/** A cell as text; undefined where it is missing or no cell. */
function cellText(column: ColumnValues | undefined, row: number): string | undefined {
  if (column === undefined || (column.type !== 'number' && column.type !== 'text')) return undefined;
  const value = column.values[row];
  return value === null || Number.isNaN(value) ? undefined : String(value);
}

/** The part that the split columns tell of each record of a batch; undefined for one that they put in none. */
function toldParts(
  { rows, columns }: RecordBatch,
  { column, validation }: Pick<SplitRule, 'column' | 'validation'>,
): (Part | undefined)[] {
  const parts: (Part | undefined)[] = [];
  for (let row = 0; row < rows.length; row++) {
    const part = partNamed(cellText(columns[column ?? ''], row) ?? '');
    const flagged = validation !== undefined && flagNamed(cellText(columns[validation], row) ?? '') === true;
    parts.push(part === 'train' && flagged ? 'valid' : part);
  }
  return parts;
}

/** The parts that the split columns name anywhere. */
async function namedParts(source: DataSource, rule: SplitRule): Promise<ReadonlySet<Part>> {
  const named = new Set<Part>();
  const columns = [rule.column, rule.validation].filter((name) => name !== undefined);
  for await (const batch of source.read({ columns })) collectNamedParts(batch, rule, named);
  return named;
}

/** Adds the parts that a batch's cells name. */
export function collectNamedParts(batch: RecordBatch, rule: SplitRule, named: Set<Part>): void {
  for (const part of toldParts(batch, rule)) if (part) named.add(part);
}

/**
 * Honours a split column, which names these parts; training records then give some to validation only if there is no
 * validation part. Without one, parts are drawn by hashing the id, or else the record itself.
 * Throws InputError where the column names no training record.
 */
export function partitionBy(source: DataSource, rule: SplitRule, named: ReadonlySet<Part>): Partition {
  const { column, columns, seed } = rule;
  if (column === undefined) return drawnParts(source, columns, rule.heldOut, seed);
  if (!named.has('train')) {
    throw new InputError(
      `${source.path}: column "${column}" marks no record as train; write words such as train, valid and test there, name another with --split-column, or draw parts with --split random`,
    );
  }
  const told = (batch: RecordBatch) => toldParts(batch, rule);
  if (named.has('valid')) return told;
  const drawn = drawnParts(source, columns, { valid: rule.heldOut.valid, test: 0 }, seed);
  return (batch) => {
    const draws = drawn(batch);
    return told(batch).map((part, row) => (part === 'train' ? draws[row] : part));
  };
}

/**
 * What a draw knows of each record, so that those of one key are in one part: its id, or the cells of `columns` where no column is
 * an id; the row number where the id is missing.
 */
export function partKeys(
  source: DataSource,
  columns: readonly string[],
): (batch: RecordBatch) => RecordHashes {
  const id = idColumnOf(source);
  // The order in which a file has its columns says nothing of a record.
  if (id === undefined) {
    const sorted = [...columns].sort();
    return (batch) => recordHashes(batch, sorted);
  }
  return ({ rows, columns }) => {
    const texts = Array.from(rows, (number, row) => cellText(columns[id], row) ?? String(number));
    return {
      low: Uint32Array.from(texts, hashString),
      high: Uint32Array.from(texts, (text) => text.length),
    };
  };
}

function drawnParts(
  source: DataSource,
  columns: readonly string[],
  heldOut: HeldOut,
  seed = SPLIT_SEED,
): Partition {
  const keysOf = partKeys(source, columns);
  return (batch) => {
    const { low, high } = keysOf(batch);
    return Array.from(low, (first, row) => partOfKey(first, high[row], seed, heldOut));
  };
}

/** A partition of a source, which is read for the parts that its split column names. */
export const partition = async (source: DataSource, rule: SplitRule): Promise<Partition> =>
  partitionBy(source, rule, rule.column === undefined ? new Set() : await namedParts(source, rule));
