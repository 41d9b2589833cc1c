/** The type of a text column, decided once from a sample of its cells. */

import { quoteCell } from '../bad-records.js';
import {
  areBooleans,
  type CellFormat,
  type DateFormat,
  dateParts,
  dateValue,
  describeTime,
  formattedNumber,
  isCompactDate,
  isMissingCell,
  isMissingNumber,
  isRounded,
  type NumberFormat,
  plainNumber,
  UNITS,
} from './cell-format.js';
import { strays } from './strays.js';

/** What a column of text holds. */
export interface InferredColumn {
  readonly type: 'number' | 'text';
  readonly format?: CellFormat;
  /** No cell holds a value, so that its type stays open. */
  readonly empty?: true;
  /** What the cells leave open and was decided all the same, a sentence for the user. */
  readonly doubt?: string;
}

export interface InferOptions {
  /** Words for a missing cell. */
  readonly missing: ReadonlySet<string>;
  /** Whether the user named them: then no other word is missing. */
  readonly chosen: boolean;
  /** Whether text may spell plain numbers, as it must in a CSV file. In JSON a number in quotes is text. */
  readonly numbers: boolean;
  /** The decimal sign, where it is known. */
  readonly decimal?: '.' | ',';
}

/** Whether a test holds for all cells but strays. */
function nearlyAll(cells: readonly string[], holds: (cell: string) => boolean): boolean {
  let left = strays(cells.length);
  for (const cell of cells) if (!holds(cell) && --left < 0) return false;
  return true;
}

/** Digits that are no amount: `007`, and an integer that float64 would round. */
export const isCode = (cell: string): boolean => hasLeadingZero(cell) || isRounded(cell);

/** An amount may have zeros before it where it has a point, too: `012.04`. `08E3` is a code. */
export const hasLeadingZero = (cell: string): boolean => /^\s*[+-]?0\d+(e[+-]?\d+)?\s*$/i.test(cell);

const isPadded = (cell: string): boolean => /^\s*[+-]?0\d+[.,]/.test(cell);

/**
 * A column is of numbers, dates or a boolean where all cells are but one in a hundred, which are then bad cells. Codes with
 * leading zeros such as 007 are text, and so are integers of more digits than float64 holds.
 */
export function inferColumn(cells: readonly (string | null)[], options: InferOptions): InferredColumn {
  const { missing, chosen, decimal } = options;
  const present = cells.filter((cell): cell is string => cell !== null && !isMissingCell(cell, missing));
  if (present.length === 0) return { type: 'text', empty: true };
  const plain = options.numbers && decimal !== ',' ? plainColumn(present, options) : undefined;
  if (plain && !plain.strays) return plain.column;
  if (areBooleans(firstDifferent(present, 3))) return { type: 'text', format: { kind: 'boolean' } };
  const values = present.filter((cell) => !isMissingNumber(cell, missing, chosen));
  if (values.length === 0) return { type: 'text', empty: true };
  const numbers = inferNumbers(values, options);
  if (plain) return numbers && widens(numbers.format, values) ? numbers : plain.column;
  const found = numbers ?? inferDates(values);
  if (found) return found;
  const doubt = options.numbers ? mostlyNumbers(values, options) : undefined;
  return { type: 'text', ...(doubt && { doubt }) };
}

/** Whether a format fits every cell, those that are no plain numbers too, and leaves plain ones what they are. */
const widens = (format: CellFormat | undefined, cells: readonly string[]): boolean =>
  format?.kind === 'number' &&
  cells.every((cell) => {
    const value = formattedNumber(cell, format);
    return value !== undefined && value === (plainNumber(cell) ?? value);
  });

/** A column of plain numbers, or of codes that look like some, and whether other cells stray in; undefined for any other. */
function plainColumn(
  present: readonly string[],
  { missing, chosen }: InferOptions,
): { column: InferredColumn; strays: boolean } | undefined {
  const most = strays(present.length);
  let other = 0;
  let absent = 0;
  for (const cell of present) {
    if (plainNumber(cell) !== undefined) continue;
    if (isMissingNumber(cell, missing, chosen)) absent++;
    else if (++other > most) return undefined;
  }
  // Of so many cells without a value, fewer may disagree.
  if (absent === present.length || other > strays(present.length - absent)) return undefined;
  // Beside what is no number, `001.3` is a code like `V58.1`.
  const codes = present.filter((cell) => isCode(cell) || (other > 0 && isPadded(cell)));
  if (codes.length > 0) {
    const doubt = `${present.length - codes.length - absent - other} of ${present.length} cells are numbers, others codes such as ${quoteCell(codes[0])}; all are read as text`;
    return { column: { type: 'text', ...(codes.length <= most && { doubt }) }, strays: false };
  }
  const days = compactDates(present.filter((cell) => !isMissingNumber(cell, missing, chosen)));
  if (days) return { column: days, strays: false };
  // A word among numbers, such as None, is missing by this format alone.
  const format: NumberFormat = { kind: 'number', decimal: '.' };
  const padded = paddedDoubt(present, format);
  return {
    column: { type: 'number', ...(absent > 0 && { format }), ...(padded && { doubt: padded }) },
    strays: other > 0,
  };
}

/** What zeros before a number, which a code may have, are read as. */
function paddedDoubt(cells: readonly string[], format: NumberFormat): string | undefined {
  const example = cells.find((cell) => isPadded(cell) && formattedNumber(cell, format) !== undefined);
  return example && `${quoteCell(example)} is read as ${formattedNumber(example, format)}`;
}

/** What to say of cells of a CSV file that are text for all we know, where a format fits most of them. */
function mostlyNumbers(cells: readonly string[], { decimal }: InferOptions): string | undefined {
  const othersIn = (some: readonly string[]) =>
    numberFormats(decimal, commonUnit(some))
      .map((format) => some.filter((cell) => isCode(cell) || formattedNumber(cell, format) === undefined))
      .reduce((fewest, next) => (next.length < fewest.length ? next : fewest));
  // Most columns of text are seen to be so by their first cells.
  const sample = cells.slice(0, LOOKED_AT);
  if (2 * sample.filter(mayBeNumber).length < sample.length || 2 * othersIn(sample).length > sample.length)
    return undefined;
  const others = othersIn(cells);
  return textAmongNumbers(cells.length - others.length, cells.length, new Set(others));
}

/** Different texts that are kept of a column to tell what its numbers are mixed with. */
export const FEW_TEXTS = 11;

/**
 * What to say of a column of text whose cells are mostly numbers, so many of so many; `others` are different cells that are
 * none, `FEW_TEXTS` of them or all. Nothing where these are codes, or many and each another, as among ticket numbers.
 */
export function textAmongNumbers(
  numbers: number,
  cells: number,
  others: ReadonlySet<string>,
): string | undefined {
  const count = cells - numbers;
  if (numbers < Math.max(10, count) || (10 * count > cells && others.size >= FEW_TEXTS)) return undefined;
  if ([...others].some(isCode)) return undefined;
  const [example] = others;
  if (example === undefined) return undefined;
  const remedy =
    plainNumber(example) === undefined
      ? `correct them, or read them as missing with --missing ${quoteCell(example)}`
      : 'write them without quotes';
  return `${numbers} of ${cells} cells are numbers, others such as ${quoteCell(example)}, and all are read as text; ${remedy}`;
}

/** A column whose every cell is a day in eight digits, which no other numbers are by chance once there are three. */
function compactDates(cells: readonly string[]): InferredColumn | undefined {
  if (!cells.every(isCompactDate) || firstDifferent(cells, 3).size < 3) return undefined;
  const doubt = `"${cells[0]}" is read as the day ${describeTime(dateValue(cells[0], COMPACT)!, 'date')}`;
  return { type: 'number', format: COMPACT, doubt };
}

const COMPACT: DateFormat = { kind: 'date', holds: 'date', order: 'ymd' };

/** The first different cells, at most `count`. */
function firstDifferent(cells: readonly string[], count: number): Set<string> {
  const different = new Set<string>();
  for (const cell of cells) {
    different.add(cell.trim().toLowerCase());
    if (different.size === count) break;
  }
  return different;
}

/** The unit that every cell with a unit has, `none` where there is no unit, or undefined where there are several. */
function commonUnit(cells: readonly string[]): string | 'none' | undefined {
  let common: string | undefined;
  let without = 0;
  for (const cell of cells) {
    const bare = cell.replace(/^[\s(+-]+|[\s)]+$/g, '');
    const unit = UNITS.find((candidate) => bare.startsWith(candidate) || bare.endsWith(candidate));
    if (unit === undefined) without++;
    else if (common !== undefined && unit !== common) return undefined;
    else common = unit;
  }
  // 0.07 beside 7 % may be the same number.
  if ((common === '%' || common === '‰') && without > strays(cells.length)) return undefined;
  return common ?? 'none';
}

/** Cells that are looked at before all are tried as numbers. */
const LOOKED_AT = 200;

const mayBeNumber = (cell: string): boolean => cell.length <= 40 && /\d/.test(cell);

function inferNumbers(
  cells: readonly string[],
  { numbers, decimal: asked }: InferOptions,
): InferredColumn | undefined {
  if (!nearlyAll(cells.slice(0, LOOKED_AT), mayBeNumber)) return undefined;
  const common = commonUnit(cells);
  if (common === undefined) return undefined;
  const fitting = numberFormats(asked, common).filter((format) =>
    nearlyAll(cells, (cell) => formattedNumber(cell, format) !== undefined),
  );
  const exact = fitting.filter((format) => fitsAll(format, cells));
  const [format, doubt] = chooseFormat(exact.length > 0 ? exact : fitting, cells);
  if (!format) return undefined;
  const plain = format.thousands === undefined && format.unit === undefined;
  if (plain && (!numbers || cells.some(isCode))) return undefined;
  const told = doubt ?? (plain ? paddedDoubt(cells, format) : undefined);
  return { type: 'number', format, ...(told && { doubt: told }) };
}

/** The formats that numbers may have, the simpler ones first. */
function numberFormats(asked: '.' | ',' | undefined, unit: string | undefined): NumberFormat[] {
  return ([',', '.'] as const)
    .filter((decimal) => asked === undefined || asked === decimal)
    .flatMap((decimal) => {
      const groups = [undefined, decimal === ',' ? '.' : ',', ' ', "'"] as const;
      return groups.map((thousands): NumberFormat => {
        return {
          kind: 'number',
          decimal,
          ...(thousands && { thousands }),
          ...(unit !== undefined && unit !== 'none' && { unit }),
        };
      });
    });
}

const fitsAll = (format: CellFormat | undefined, cells: readonly string[]): boolean =>
  format?.kind === 'number' && cells.every((cell) => formattedNumber(cell, format) !== undefined);

/** Of the formats that fit all cells, and what is left open: `1,234` may be a thousand or little more than one. */
function chooseFormat(
  candidates: readonly NumberFormat[],
  cells: readonly string[],
): [NumberFormat | undefined, string?] {
  const simplest = (decimal: ',' | '.') => candidates.find((format) => format.decimal === decimal);
  const [comma, point] = [simplest(','), simplest('.')];
  if (!comma || !point) {
    const only = comma ?? point;
    const example = cells.find((cell) => /\d,\d{3}\D*$/.test(cell));
    const thousands =
      only?.decimal === ',' && nearlyAll(cells, (cell) => !cell.includes(',') || /,\d{3}\D*$/.test(cell));
    if (!only || !thousands || example === undefined) return [only];
    return [only, `"${example}" is read as ${formattedNumber(example, only)}, with a decimal comma`];
  }
  // Both fit, so each cell has one kind of separator at most: a comma before three digits, say.
  const separated = cells.find((cell) => /\d[.,]\d/.test(cell));
  if (separated === undefined) return [point];
  const grouped = comma.thousands ? comma : point;
  const single = comma.thousands ? point : comma;
  if (cells.some((cell) => /(^|\D)0[.,]\d/.test(cell))) return [single];
  const value = formattedNumber(separated, grouped);
  return [
    grouped,
    `"${separated}" is read as ${value}; --decimal ${single.decimal} reads it as ${formattedNumber(separated, single)}`,
  ];
}

/** Whether every cell is a year and the next one, and there are two such pairs: `2001/02`, `2002/03`. */
function areSeasons(cells: readonly string[]): boolean {
  const isSeason = (cell: string) => {
    const [, year, next] = /^\s*([12]\d{3})\/(\d{2})\s*$/.exec(cell) ?? [];
    return year !== undefined && (Number(year) + 1) % 100 === Number(next);
  };
  return cells.every(isSeason) && firstDifferent(cells, 2).size === 2;
}

/** What cells that are no dates may look like as well: a ratio or minutes and seconds, `1:10`; a number in a year, `2024/03`. */
function shortDateDoubt(cells: readonly string[], format: DateFormat): string | undefined {
  const short = format.holds === 'time' ? /^\s*\d+:\d+\s*$/ : /^\s*\d{4}\/\d{2}\s*$/;
  const example = cells.find((cell) => dateValue(cell, format) !== undefined);
  if (example === undefined || !nearlyAll(cells, (cell) => short.test(cell))) return undefined;
  const what = format.holds === 'time' ? 'time' : 'day';
  return `${quoteCell(example)} is read as the ${what} ${describeTime(dateValue(example, format)!, format.holds)}`;
}

function inferDates(cells: readonly string[]): InferredColumn | undefined {
  if (areSeasons(cells)) return undefined;
  const first = dateParts(cells[0]) ?? dateParts(cells[cells.length - 1]);
  if (!first) return undefined;
  let order: DateFormat['order'] | undefined;
  let holds = first.holds;
  let ambiguous: string | undefined;
  /** A cell of three numbers, the year last. */
  let digits: string | undefined;
  let left = strays(cells.length);
  for (const cell of cells) {
    const parts = dateParts(cell);
    const fits =
      parts !== undefined &&
      (parts.holds === 'time') === (holds === 'time') &&
      (parts.order === undefined || order === undefined || parts.order === order);
    if (!fits) {
      if (--left < 0) return undefined;
      continue;
    }
    if (parts.holds === 'date and time') holds = parts.holds;
    order ??= parts.order;
    if (parts.order !== undefined || parts.ambiguous !== undefined) digits ??= cell;
    if (parts.ambiguous) ambiguous ??= cell;
  }
  if (order !== undefined || digits === undefined) {
    const format: DateFormat = { kind: 'date', holds, order: order ?? 'ymd' };
    const doubt = shortDateDoubt(cells, format);
    return { type: 'number', format, ...(doubt && { doubt }) };
  }
  // No day is larger than 12: slashes are of month/day/year, dots and dashes of day.month.year.
  const format: DateFormat = { kind: 'date', holds, order: digits.includes('/') ? 'mdy' : 'dmy' };
  if (ambiguous === undefined) return { type: 'number', format };
  const day = new Date(1000 * dateValue(ambiguous, format)!).toISOString().slice(0, 10);
  return { type: 'number', format, doubt: `no cell tells day from month: "${ambiguous}" is read as ${day}` };
}
