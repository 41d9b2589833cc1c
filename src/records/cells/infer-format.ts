/** The type of a text column, decided once from a sample of its cells. */
import {
  areBooleans,
  type CellFormat,
  type DateFormat,
  dateParts,
  dateValue,
  describeTime,
  formattedNumber,
  isCompactDate,
  isMissingNumber,
  isRounded,
  type NumberFormat,
  plainNumber,
  UNITS,
} from './cell-format.js';

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

/** How many of so many cells may disagree with the others: one in a hundred, and one at least once there are ten. */
const strays = (present: number): number => (present < 10 ? 0 : Math.max(1, present / 100));

/** Whether a test holds for all cells but strays. */
function nearlyAll(cells: readonly string[], holds: (cell: string) => boolean): boolean {
  let left = strays(cells.length);
  for (const cell of cells) if (!holds(cell) && --left < 0) return false;
  return true;
}

/** Digits that are no amount: `007`, and an integer that float64 would round. */
const isCode = (cell: string): boolean => hasLeadingZero(cell) || isRounded(cell);

const hasLeadingZero = (cell: string): boolean => /^\s*[+-]?0\d/.test(cell);

/**
 * A column is of numbers, dates or a boolean where all cells are but one in a hundred, which are then bad cells. Codes with
 * leading zeros such as 007 are text, and so are integers of more digits than float64 holds.
 */
export function inferColumn(cells: readonly (string | null)[], options: InferOptions): InferredColumn {
  const { missing, chosen, decimal } = options;
  const present = cells.filter((cell): cell is string => cell !== null && cell !== '' && !missing.has(cell));
  if (present.length === 0) return { type: 'text', empty: true };
  const plain = options.numbers && decimal !== ',' ? plainColumn(present, options) : undefined;
  if (plain) return plain;
  if (areBooleans(firstDifferent(present, 3))) return { type: 'text', format: { kind: 'boolean' } };
  const values = present.filter((cell) => !isMissingNumber(cell, missing, chosen));
  if (values.length === 0) return { type: 'text', empty: true };
  return inferNumbers(values, options) ?? inferDates(values) ?? { type: 'text' };
}

/** A column of plain numbers, or of codes that look like some; undefined for any other. */
function plainColumn(
  present: readonly string[],
  { missing, chosen }: InferOptions,
): InferredColumn | undefined {
  const most = strays(present.length);
  let other = 0;
  let absent = 0;
  let codes = false;
  for (const cell of present) {
    if (plainNumber(cell) !== undefined) codes ||= isCode(cell);
    else if (isMissingNumber(cell, missing, chosen)) absent++;
    else if (++other > most) return undefined;
  }
  // Of so many cells without a value, fewer may disagree.
  if (absent === present.length || other > strays(present.length - absent)) return undefined;
  if (codes) return { type: 'text' };
  const days = compactDates(present.filter((cell) => !isMissingNumber(cell, missing, chosen)));
  if (days) return days;
  // A word among numbers, such as None, is missing by this format alone.
  return absent === 0 ? { type: 'number' } : { type: 'number', format: { kind: 'number', decimal: '.' } };
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
    different.add(cell.toLowerCase());
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

function inferNumbers(
  cells: readonly string[],
  { numbers, decimal: asked }: InferOptions,
): InferredColumn | undefined {
  const sample = cells.slice(0, 200);
  if (!nearlyAll(sample, (cell) => /\d/.test(cell) && cell.length <= 40)) return undefined;
  const common = commonUnit(cells);
  if (common === undefined) return undefined;
  const unit = common === 'none' ? {} : { unit: common };
  const candidates = ([',', '.'] as const)
    .filter((decimal) => asked === undefined || asked === decimal)
    .flatMap((decimal) => {
      const groups = [undefined, decimal === ',' ? '.' : ',', ' ', "'"] as const;
      return groups.map((thousands): NumberFormat => {
        return { kind: 'number', decimal, ...(thousands && { thousands }), ...unit };
      });
    })
    .filter((format) => nearlyAll(cells, (cell) => formattedNumber(cell, format) !== undefined));
  const [format, doubt] = chooseFormat(candidates, cells);
  if (!format) return undefined;
  const plain = format.thousands === undefined && format.unit === undefined;
  if (plain && (!numbers || cells.some(hasLeadingZeroOf(format)))) return undefined;
  return { type: 'number', format, ...(doubt && { doubt }) };
}

/** `007,5` is a code no less than `007`; `0,5` is a number. */
const hasLeadingZeroOf =
  ({ decimal }: NumberFormat) =>
  (cell: string): boolean =>
    decimal === ',' ? /^\s*[+-]?0\d/.test(cell) : hasLeadingZero(cell);

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
      only?.decimal === ',' && cells.every((cell) => !cell.includes(',') || /,\d{3}\D*$/.test(cell));
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

function inferDates(cells: readonly string[]): InferredColumn | undefined {
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
    return { type: 'number', format: { kind: 'date', holds, order: order ?? 'ymd' } };
  }
  // No day is larger than 12: slashes are of month/day/year, dots and dashes of day.month.year.
  const format: DateFormat = { kind: 'date', holds, order: digits.includes('/') ? 'mdy' : 'dmy' };
  if (ambiguous === undefined) return { type: 'number', format };
  const day = new Date(1000 * dateValue(ambiguous, format)!).toISOString().slice(0, 10);
  return { type: 'number', format, doubt: `no cell tells day from month: "${ambiguous}" is read as ${day}` };
}
