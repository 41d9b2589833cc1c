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
  if (/^[-+−($€£¥₹\s]*\d[\d.,'\s]*[%€$£)\s]*$/.test(cell)) return 'number';
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

/** The number that a cell spells in digits alone, or NaN. */
const numberOf = (cell: string, decimal: Decimal): number =>
  plainNumber(cell) ?? plainNumber(decimal === '.' ? cell : cell.replace(',', '.')) ?? Number.NaN;

/** Whether numbers go up or down as those do that name columns: wavelengths, doses, pixels. Fewer than three may by chance. */
function isScale(numbers: readonly number[]): boolean {
  const way = Math.sign(numbers[1] - numbers[0]);
  return (
    numbers.length >= 3 &&
    way !== 0 &&
    numbers.every((number, i) => i === 0 || Math.sign(number - numbers[i - 1]) === way)
  );
}

/** Whether they do so in equal steps, but for their last digits. */
function isEven(numbers: readonly number[]): boolean {
  const step = numbers[1] - numbers[0];
  const isStep = (number: number, i: number) =>
    i === 0 || Math.abs(number - numbers[i - 1] - step) <= Math.abs(step) / 50;
  return isScale(numbers) && numbers.every(isStep);
}

/**
 * Whether a record stands above columns of numbers or dates with what is neither: then it names them. Some of the names may
 * be numbers where all of those are years or a scale; then the others have to begin like names, not like `<5`.
 * @param options.title whether records before it would be titles, for which numbers other than years tell too little
 */
export function namesValues(
  head: readonly string[],
  body: readonly DelimitedRecord[],
  decimal?: '.' | ',',
  { title = false } = {},
): boolean {
  const names = head.map((cell) => cell.trim());
  const numbers = names.filter((name) => valueOfCell(name, decimal) === 'number');
  const years = numbers.every(isYear);
  if (!years && (title || !isScale(numbers.map((name) => numberOf(name, decimal))))) return false;
  const named = names.filter((name) => name !== '').length;
  if (named < Math.min(2, names.length - 1)) return false;
  // A word for a missing number names nothing, and nothing stands above the names or numbers of rows.
  const isName = (name: string, column: number, kind: string) =>
    name === ''
      ? column === 0 && names.length > 1 && years
      : !isMissing(name) && valueOfCell(name, decimal) !== kind && (years || /^[^<>≤≥~\d]/.test(name));
  const columns = valuesOfColumns(names.length, body, decimal);
  return columns.some(({ kind }, column) => kind !== undefined && isName(names[column], column, kind));
}

/** Whether the first record names the columns, and what the user should know of that. */
export interface HeaderVerdict {
  readonly header: boolean;
  /** A sentence, where the records leave it open. */
  readonly doubt?: string;
}

/**
 * Whether the first record names the columns: it holds a known name; or stands above numbers or dates and is neither; or
 * has years above what is none, or a scale of numbers; or, where all cells are text, none that comes back below.
 */
export function judgeHeader(
  head: readonly string[],
  body: readonly DelimitedRecord[],
  { known, decimal }: { known: readonly string[]; decimal?: '.' | ',' },
): HeaderVerdict {
  const names = head.map((cell) => cell.trim());
  if (names.some((name) => known.includes(name))) return { header: true };
  // The columns of a run without a header have numbers for names.
  if (known.length > 0 && known.every((name) => /^column\d+$/.test(name))) return { header: false };
  if (body.length === 0) return { header: names.every((name) => valueOfCell(name, decimal) !== 'number') };
  if (namesValues(head, body, decimal)) {
    const numbers = names.filter((name) => valueOfCell(name, decimal) === 'number' && !isYear(name));
    const sure = numbers.length === 0 || isEven(numbers.map((name) => numberOf(name, decimal)));
    return { header: true, ...(!sure && { doubt: readAsNames(names) }) };
  }
  const columns = valuesOfColumns(names.length, body, decimal);
  const valued = columns.filter(({ kind }) => kind !== undefined).length;
  const years = columns.filter(({ kind, years }, i) => kind && isYear(names[i]) && !years).length;
  const distinct = new Set(names).size === names.length;
  if (valued > 0 && years === valued && distinct) return { header: true };
  const comesBack = (name: string, column: number) =>
    body.some(({ cells }) => cells[column]?.trim() === name);
  if (valued > 0) {
    const isWord = (name: string) =>
      name !== '' && !isMissing(name) && valueOfCell(name, decimal) === undefined;
    const above = columns.findIndex(({ kind }, column) => kind !== undefined && isWord(names[column]));
    if (above >= 0) {
      const doubt = `"${names[above]}" in the first record stands above ${columns[above].kind}s and is read as a cell; --header yes reads that record as names`;
      return { header: false, doubt };
    }
    const areNames = names.every((name, column) => {
      if (name === '') return column === 0;
      return valueOfCell(name, decimal) === 'number' || (isWord(name) && !comesBack(name, column));
    });
    return areNames ? judgeNumbers(names, body, decimal) : { header: false };
  }
  if (!distinct && names.length > 1) return { header: false };
  return { header: names.every((name, column) => name === '' || !comesBack(name, column)) };
}

/** The same where the names above numbers would be numbers themselves, `0,1,2` or `1100,1102,1104,1106,1108`. */
function judgeNumbers(
  names: readonly string[],
  body: readonly DelimitedRecord[],
  decimal: Decimal,
): HeaderVerdict {
  const places = Array.from(names.keys()).filter((place) => valueOfCell(names[place], decimal) === 'number');
  const numbers = places.map((place) => numberOf(names[place], decimal));
  const below = body.map(({ cells }) => places.map((place) => numberOf(cells[place] ?? '', decimal)));
  // Three or four numbers have equal steps by chance, unless they count.
  const counts = numbers[1] === numbers[0] + 1 && (numbers[0] === 0 || numbers[0] === 1);
  const even = isEven(numbers) && (counts || numbers.length >= 5);
  const alike = below.filter(even ? isEven : isScale).length;
  // Without words beside them, numbers that only go up are a record like others.
  if (!isScale(numbers) || 2 * alike > body.length || (!even && places.length === names.length))
    return { header: false };
  const scale = new Set(numbers);
  const values = new Set(below.flat().filter((value) => !Number.isNaN(value)));
  // Permutations, and distances to the first of several things.
  const comeBack = [...values].every((value) => scale.has(value)) && values.has(Math.max(...numbers));
  // Edges, grades and rankings may begin with any few whole numbers.
  const few =
    numbers.length < 5 &&
    [...values].every(Number.isInteger) &&
    below.some((row) => row.some((value, i) => value === numbers[i]));
  if (!even || comeBack || few) {
    const doubt = `the first record, ${listed(names)}, is read as values; --header yes reads it as names`;
    return { header: false, doubt };
  }
  // Above the numbers of rows, pandas leaves the name out.
  if (names[0] === '') return { header: true };
  return { header: true, doubt: readAsNames(names) };
}

const listed = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ');

const readAsNames = (names: readonly string[]): string =>
  `the first record, ${listed(names)}, is read as the names of columns; --header no reads it as values`;

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
