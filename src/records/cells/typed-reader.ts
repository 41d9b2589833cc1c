/** From cells of text to columns by a schema: types are decided once, and each cell is then read from its own characters. */

import { InputError } from '../../errors.js';
import { quoteCell, type Reject } from '../bad-records.js';
import { LateFinds, type Reader } from '../reader.js';
import {
  type BadRecord,
  type ColumnInfo,
  type ColumnValues,
  isCellType,
  type RecordBatch,
} from '../record-batch.js';
import { type Fault, selectRecords } from '../select-records.js';
import {
  dateValue,
  formattedNumber,
  isMissingCell,
  isMissingNumber,
  isRounded,
  MISSING_WORDS,
  plainNumber,
} from './cell-format.js';
import { hasLeadingZero, inferColumn } from './infer-format.js';
import { describeColumnType, type Schema } from './schema.js';

export interface TypingOptions {
  /** What a run's training file was decided to hold. */
  readonly schema?: Schema;
  /** Words for a missing cell, beside the empty one, that the user named. */
  readonly missing?: readonly string[];
  /** Those words where the user names none. */
  readonly words?: readonly string[];
  readonly decimal?: '.' | ',';
  /** Whether text may spell plain numbers, as it must in CSV; not by default. */
  readonly numbers?: boolean;
  /** Whether the reader reads plain numbers by itself, where a column that it calls text is asked for as numbers. */
  readonly plainNumbers?: boolean;
}

/** Types are decided from so many records, or fewer where there are thousands of columns. */
const TYPED_RECORDS = 10_000;
const TYPED_CELLS = 1 << 22;

/** Bad records that are held until the batch they lie in is typed. */
const MOST_WAITING = 1000;

/**
 * The same records with the columns of the schema; others have the type that a sample of their cells tells. Only columns of
 * text and numbers are touched. A cell that does not fit makes its record bad.
 */
export async function typedReader(path: string, reader: Reader, options: TypingOptions): Promise<Reader> {
  const { schema, missing = schema?.missing ?? options.words ?? MISSING_WORDS } = options;
  const chosen = (options.missing ?? schema?.missing) !== undefined;
  const rule = {
    missing: new Set(missing.map((word) => word.trim())),
    missingNumbers: new Set(missing.map(plainNumber).filter((value) => value !== undefined)),
    chosen,
    numbers: options.numbers ?? false,
    decimal: options.decimal,
  };
  const names = reader.columns.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new InputError(`${path}: two columns are called ${JSON.stringify(twice)}; rename one of them`);
  const planned = new Map(schema?.columns.map((column) => [column.name, column]));
  const unknown = reader.columns.filter(({ name, type }) => type === 'text' && !planned.has(name));
  const inferred = await inferColumns(reader, unknown, { ...rule, spelled: options.plainNumbers ?? false });
  const columns = reader.columns.map((column): ColumnInfo => {
    const known = planned.get(column.name);
    if (known && isCellType(known.type) && isCellType(column.type)) return known;
    return inferred.columns.get(column.name) ?? column;
  });
  const stored = new Map(reader.columns.map((column) => [column.name, column]));

  const values = new LateFinds();
  const codes = new LateFinds();
  const found = () => [
    ...(reader.found?.() ?? []),
    ...values.map(
      (name, { count, example }) =>
        `column ${name}: no value in the first ${inferred.records} records, which types are told from, so it is not read; ${count} later records have one, such as ${quoteCell(example)}; put some of them first to read it`,
    ),
    ...codes.map(
      (name, { count, example }) =>
        `column ${name}: ${count} of its numbers begin with zeros, such as ${quoteCell(example)}, which is read as ${plainNumber(example)}; if they are codes, ${
          schema
            ? 'the run should have had one of them among its first records'
            : `put one of them among the first ${inferred.records} records`
        }: a column of codes is text`,
    ),
  ];

  /** What is asked of the reader: numbers where it gives them, else the cells. */
  const source = (column: ColumnInfo): ColumnInfo => {
    const own = stored.get(column.name)!;
    return options.plainNumbers && column.type === 'number' && !column.format
      ? { ...own, type: 'number' }
      : own;
  };
  return {
    ...reader,
    columns,
    ...(inferred.notes.length > 0 && { notes: [...(reader.notes ?? []), ...inferred.notes] }),
    ...(chosen && { missing }),
    found,
    async *read(selected, reject, { few, verbatim = [] } = {}) {
      const wanted = selected.map(source);
      const retyped = selected.filter((column, i) => column.type !== wanted[i].type);
      // A number that is to be text is read as the file spells it.
      const spelled = retyped.filter(({ type }) => type === 'text').map(({ name }) => name);
      const texts = [...new Set([...verbatim, ...spelled])];
      // Bad records are told in the order of the file, whoever finds them.
      const waiting: BadRecord[] = [];
      const wait: Reject = (bad) => {
        waiting.push(bad);
        // So many at once are no accident: a file of another kind is refused before it is read to its end.
        if (waiting.length > MOST_WAITING) for (const held of waiting.splice(0)) reject(held);
      };
      const late = { value: values.reading(), code: codes.reading() };
      const read = reader.read(wanted, wait, {
        few,
        ...(texts.length > 0 && { verbatim: texts }),
      });
      for await (const batch of read) {
        const typed = typeBatch(batch, selected, rule, late);
        if (typed.faults.size === 0 && waiting.length === 0) {
          yield typed.batch;
          continue;
        }
        const good: number[] = [];
        for (let place = 0; place < batch.rows.length; place++) {
          const row = batch.rows[place];
          while (waiting.length > 0 && waiting[0].row < row) reject(waiting.shift()!);
          const fault = typed.faults.get(place);
          if (!fault) good.push(place);
          else reject({ path, row, ...(reader.lineOf && { line: await reader.lineOf(row) }), ...fault });
        }
        if (good.length === batch.rows.length) yield typed.batch;
        else if (good.length > 0) yield selectRecords(typed.batch, good);
      }
      for (const bad of waiting) reject(bad);
    },
  };
}

interface Rule {
  /** The words for a missing cell that are numbers. */
  readonly missingNumbers: ReadonlySet<number>;
  readonly missing: ReadonlySet<string>;
  readonly chosen: boolean;
  readonly numbers: boolean;
  readonly decimal?: '.' | ',';
}

async function inferColumns(
  reader: Reader,
  unknown: readonly ColumnInfo[],
  { spelled, ...rule }: Rule & { spelled: boolean },
) {
  const columns = new Map<string, ColumnInfo>();
  const notes: string[] = [];
  const records = Math.min(TYPED_RECORDS, Math.max(200, Math.floor(TYPED_CELLS / unknown.length)));
  if (unknown.length === 0) return { columns, notes, records };
  const cells = new Map<string, (string | null)[]>(unknown.map(({ name }) => [name, []]));
  let seen = 0;
  const ignore: Reject = () => {};
  const verbatim = spelled ? unknown.map(({ name }) => name) : undefined;
  for await (const batch of reader.read(unknown, ignore, { few: true, verbatim })) {
    const count = Math.min(batch.rows.length, records - seen);
    for (const { name } of unknown) {
      const { values } = batch.columns[name] as { values: readonly (string | null)[] };
      const own = cells.get(name)!;
      for (let i = 0; i < count; i++) own.push(values[i]);
    }
    seen += count;
    if (seen >= records) break;
  }
  const found = unknown.map(({ name }) => inferColumn(cells.get(name)!, rule));
  const commas = found.some(({ format }) => format?.kind === 'number' && format.decimal === ',');
  for (const [i, { name }] of unknown.entries()) {
    const own = cells.get(name)!;
    // Where other columns have a decimal comma, 1.234 is a thousand.
    const grouped = commas && found[i].type === 'number' && !found[i].format && areGroups(own, rule);
    const { type, format, empty, doubt } = grouped ? inferColumn(own, { ...rule, decimal: ',' }) : found[i];
    if (grouped)
      notes.push(`column ${name}: points stand between thousands, since other columns have a decimal comma`);
    columns.set(name, { name, type, ...(format && { format }), ...(empty && { empty }) });
    if (doubt) notes.push(`column ${name}: ${doubt}`);
    if (type === 'text' && !empty) notes.push(...missingWords(name, cells.get(name)!, rule));
  }
  return { columns, notes, records };
}

/** Whether every point of a column's cells stands before three digits, and there is one. */
function areGroups(cells: readonly (string | null)[], { missing }: Rule): boolean {
  const dotted = cells.filter((cell) => cell?.includes('.') && !isMissingCell(cell, missing));
  return dotted.length > 0 && dotted.every((cell) => /^\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*$/.test(cell!));
}

/** A word that means missing may be a category, such as NA for North America. */
function missingWords(name: string, cells: readonly (string | null)[], { missing, chosen }: Rule): string[] {
  if (chosen) return [];
  const counts = new Map<string, number>();
  for (const cell of cells) {
    const word = cell?.trim() ?? '';
    if (word !== '' && missing.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  if (counts.size === 0) return [];
  const listed = [...counts].map(([word, count]) => `"${word}" (${count})`).join(', ');
  return [`column ${name}: ${listed} read as missing; --missing names other words, or none: --missing ""`];
}

/** What hears of a value in a column that seemed empty, and of a code in one of numbers. */
type Late = Readonly<Record<'value' | 'code', (name: string, cell: string) => void>>;

/** The columns of a batch by their types, and the first fault of each record by its place. */
function typeBatch(batch: RecordBatch, selected: readonly ColumnInfo[], rule: Rule, late: Late) {
  const faults = new Map<number, Fault>();
  const columns: Record<string, ColumnValues> = Object.create(null);
  for (const column of selected) {
    const { name } = column;
    const given = batch.columns[name];
    if (column.type === 'number' && given.type === 'text') {
      columns[name] = { type: 'number', values: numbersOf(column, given.values, rule, faults, late) };
    } else if (column.type === 'text') {
      const cells =
        given.type === 'text' ? given.values : (batch.texts?.[name] ?? spelledNumbers(given.values));
      const values = withoutMissing(cells, rule.missing);
      columns[name] = { type: 'text', values };
      if (column.empty)
        for (const cell of values)
          if (cell !== null && !isMissingNumber(cell, rule.missing, rule.chosen)) late.value(name, cell);
    } else columns[name] = given.type === 'number' ? withoutMissingNumbers(given, rule) : given;
  }
  return { batch: { ...batch, columns }, faults };
}

/** Numbers that stand for a missing value, such as -999, in a format that has numbers of its own. */
function withoutMissingNumbers(
  column: Extract<ColumnValues, { type: 'number' }>,
  { missingNumbers }: Rule,
): ColumnValues {
  if (missingNumbers.size === 0 || !column.values.some((value) => missingNumbers.has(value))) return column;
  return {
    type: 'number',
    values: column.values.map((value) => (missingNumbers.has(value) ? Number.NaN : value)),
  };
}

const spelledNumbers = (values: ArrayLike<number>): (string | null)[] =>
  Array.from(values, (value) => (Number.isNaN(value) ? null : String(value)));

function withoutMissing(
  cells: readonly (string | null)[],
  missing: ReadonlySet<string>,
): readonly (string | null)[] {
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i];
    if (cell !== null && isMissingCell(cell, missing)) {
      return cells.map((text) => (text === null || isMissingCell(text, missing) ? null : text));
    }
  }
  return cells;
}

function numbersOf(
  column: ColumnInfo,
  cells: readonly (string | null)[],
  { missing, chosen, missingNumbers }: Rule,
  faults: Map<number, Fault>,
  late: Late,
): Float64Array {
  const { name, format } = column;
  const parse = parserOf(column);
  const values = new Float64Array(cells.length);
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i];
    if (cell === null || isMissingNumber(cell, missing, chosen)) {
      values[i] = Number.NaN;
      continue;
    }
    const value = isRounded(cell) ? undefined : parse(cell);
    if (value !== undefined && format?.kind !== 'date' && hasLeadingZero(cell)) late.code(name, cell);
    if (value !== undefined && missingNumbers.has(value)) values[i] = Number.NaN;
    else if (value !== undefined) values[i] = Number.isFinite(value) ? value : Number.NaN;
    else if (!faults.has(i)) {
      const expected = format ? describeColumnType(column) : 'number';
      faults.set(i, {
        column: name,
        message: `expected a ${expected} as in the other records, got ${quoteCell(cell)}`,
      });
    }
  }
  return values;
}

function parserOf({ format }: ColumnInfo): (cell: string) => number | undefined {
  if (format?.kind === 'number') return (cell) => formattedNumber(cell, format);
  if (format?.kind === 'date') return (cell) => dateValue(cell, format);
  return plainNumber;
}
