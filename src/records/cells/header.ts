/** Whether the first record of a delimited file names its columns, and how they are then called. */
import { dateParts, isMissingNumber, MISSING_WORDS, plainNumber } from './cell-format.js';
import type { DelimitedRecord } from './delimited-text.js';

type Decimal = '.' | ',' | undefined;

const missingWords = new Set(MISSING_WORDS);
const isMissing = (cell: string): boolean => isMissingNumber(cell, missingWords, false);
const isYear = (cell: string): boolean => /^\s*(1[5-9]|20)\d\d\s*$/.test(cell);

/** What a cell is by itself: a number, plain or with separators and signs around it, a date, or neither. */
function valueOfCell(cell: string, decimal: Decimal): 'number' | 'date' | undefined {
  const spelled = decimal === '.' ? cell : cell.replace(',', '.');
  if (plainNumber(cell) !== undefined || plainNumber(spelled) !== undefined) return 'number';
  if (/^[-+($€£¥₹\s]*\d[\d.,'\s]*[%€$£)\s]*$/.test(cell)) return 'number';
  return dateParts(cell) === undefined ? undefined : 'date';
}

/** Per column what all its cells are that are not missing, or undefined where they are several things or none. */
function valuesOfColumns(width: number, body: readonly DelimitedRecord[], decimal: Decimal) {
  return Array.from({ length: width }, (_, column) => {
    const cells = body.map(({ cells }) => cells[column] ?? '').filter((cell) => !isMissing(cell));
    const kind = cells.length > 0 ? valueOfCell(cells[0], decimal) : undefined;
    const alike = kind !== undefined && cells.every((cell) => valueOfCell(cell, decimal) === kind);
    return { kind: alike ? kind : undefined, years: alike && cells.every(isYear) };
  });
}

/** Whether a record stands above columns of numbers or dates with what is neither: then it names them. */
export function namesValues(
  head: readonly string[],
  body: readonly DelimitedRecord[],
  decimal?: '.' | ',',
): boolean {
  const names = head.map((cell) => cell.trim());
  // A word for a missing number names nothing, and nothing stands above the names or numbers of rows.
  const isName = (name: string, column: number, kind: string) =>
    name === '' ? column === 0 && names.length > 1 : !isMissing(name) && valueOfCell(name, decimal) !== kind;
  const columns = valuesOfColumns(names.length, body, decimal);
  if (names.filter((name) => name !== '').length < names.length - 1) return false;
  if (names.some((name) => valueOfCell(name, decimal) === 'number' && !isYear(name))) return false;
  return columns.some(({ kind }, column) => kind !== undefined && isName(names[column], column, kind));
}

/**
 * Whether the first record names the columns: it holds a known name; or stands above numbers or dates and is neither; or
 * has years above what is none; or, where all cells are text, none that comes back below.
 */
export function looksLikeHeader(
  head: readonly string[],
  body: readonly DelimitedRecord[],
  { known, decimal }: { known: readonly string[]; decimal?: '.' | ',' },
): boolean {
  const names = head.map((cell) => cell.trim());
  if (names.some((name) => known.includes(name))) return true;
  // The columns of a run without a header have numbers for names.
  if (known.length > 0 && known.every((name) => /^column\d+$/.test(name))) return false;
  if (body.length === 0) return names.every((name) => valueOfCell(name, decimal) !== 'number');
  if (namesValues(head, body, decimal)) return true;
  const columns = valuesOfColumns(names.length, body, decimal);
  const valued = columns.filter(({ kind }) => kind !== undefined).length;
  const years = columns.filter(({ kind, years }, i) => kind && isYear(names[i]) && !years).length;
  const distinct = new Set(names).size === names.length;
  if (valued > 0) return years === valued && distinct;
  if (!distinct && names.length > 1) return false;
  return names.every(
    (name, column) => name === '' || !body.some(({ cells }) => cells[column]?.trim() === name),
  );
}

/** Whether a line above records has a name for each of their cells but the first, as R writes them. */
export function namesAllButOne(
  { cells, fault }: DelimitedRecord,
  records: readonly DelimitedRecord[],
): boolean {
  const [{ cells: below }] = records;
  return (
    !fault &&
    cells.length === below.length - 1 &&
    cells.length > 1 &&
    cells.every((cell) => valueOfCell(cell, undefined) === undefined)
  );
}

/** Cells of a first record without the single quotes that all of them stand in, though the cells below need none. */
export const withoutSingleQuotes = (head: readonly string[]): readonly string[] =>
  head.every((cell) => /^'[^']+'$/.test(cell)) ? head.map((cell) => cell.slice(1, -1)) : head;

/**
 * Names without white space around them. The first is `index` where it is empty, as pandas and R leave the names of rows;
 * another empty one is `column` with its number, a repeated one has a number behind it.
 */
export function namesOf(header: readonly string[] | undefined, width: number): string[] {
  const taken = new Set<string>();
  return Array.from({ length: header?.length ?? width }, (_, column) => {
    const given = header?.[column].trim() || (header && column === 0 ? 'index' : `column${column}`);
    let name = given;
    for (let copy = 1; taken.has(name); copy++) name = `${given}_${copy}`;
    taken.add(name);
    return name;
  });
}
