/** How a cell's characters become its value. Plain data, kept in a run, so that every file is read alike. */

/** A number with separators or a unit: `$5,533,000`, `12,5 %`, `1.234,50 €`. */
export interface NumberFormat {
  readonly kind: 'number';
  readonly decimal: '.' | ',';
  /** What stands between groups of three digits; a space stands for the no-break ones, too. */
  readonly thousands?: ',' | '.' | ' ' | "'";
  /** Currency or percent sign before or behind the digits, which is left off. */
  readonly unit?: string;
}

/** A date, a time or both. The value of a cell is seconds since 1970 in UTC, or since midnight for a time alone. */
export interface DateFormat {
  readonly kind: 'date';
  /** Which of both its cells hold. */
  readonly holds: 'date' | 'time' | 'date and time';
  /** The order of day, month and year where all three are digits. */
  readonly order: 'ymd' | 'dmy' | 'mdy';
}

/** Two words, such as `true` and `false`, whose case does not matter. Its column is of text. */
export interface BooleanFormat {
  readonly kind: 'boolean';
}

export type CellFormat = NumberFormat | DateFormat | BooleanFormat;

/** Cells that mean "missing" in every column, beside the empty cell, where the user does not name others. */
export const MISSING_WORDS: readonly string[] = ['?', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL'];

/** What means "missing" among numbers and dates too, where it can be no category. Compared in lower case. */
const MISSING_NUMBERS = new Set([
  'nat',
  'na',
  'n/a',
  '#n/a',
  'nan',
  'null',
  'none',
  'nil',
  'missing',
  '-',
  '--',
  '.',
  '?',
  '',
]);

/** Words for a number that is none, which are missing whatever the user names. */
const NO_NUMBER = /^\s*[+-]?(inf(inity)?|nan)\s*$/i;

/** Whether a cell is empty or a word for a missing one. White space around it does not matter. */
export function isMissingCell(cell: string, missing: ReadonlySet<string>): boolean {
  const word = cell.trim();
  return word === '' || missing.has(word);
}

/** Whether a cell of a number or date column stands for no value. */
export function isMissingNumber(cell: string, missing: ReadonlySet<string>, chosen: boolean): boolean {
  if (isMissingCell(cell, missing) || NO_NUMBER.test(cell)) return true;
  return !chosen && MISSING_NUMBERS.has(cell.trim().toLowerCase());
}

/** What `Number` reads beside numbers in digits: nothing, other bases, and a word. */
const NOT_PLAIN = /^\s*($|0[xbo]|[+-]?I)/i;

/** The number that a cell spells without separators or units, or undefined. White space around it does not matter. */
export function plainNumber(cell: string): number | undefined {
  const value = Number(cell);
  return Number.isNaN(value) || NOT_PLAIN.test(cell) ? undefined : value;
}

/** Whether a cell is an integer that float64 would round: an id, or an amount that no number holds. */
export const isRounded = (cell: string): boolean =>
  cell.length > 15 && /^\s*[+-]?\d{16,}\s*$/.test(cell) && !Number.isSafeInteger(Number(cell));

/** The signs and codes of currencies, and percent. Longer ones come first. */
export const UNITS: readonly string[] = [
  ...['USD', 'EUR', 'GBP', 'JPY', 'CNY', 'INR', 'CHF', 'CAD', 'AUD', 'US$', 'R$'],
  ...['$', '€', '£', '¥', '₹', '₽', '₩', '%', '‰'],
];

const separators = { ',': ',', '.': '\\.', ' ': '[ \u00a0\u202f\u2009]', "'": "['’]" } as const;

const patterns = new Map<string, { readonly number: RegExp; readonly separator?: RegExp }>();

function patternOf({ decimal, thousands }: NumberFormat) {
  const key = `${decimal}${thousands ?? ''}`;
  let pattern = patterns.get(key);
  if (!pattern) {
    const point = separators[decimal];
    const group = thousands && separators[thousands];
    const whole = group ? `(?:\\d{1,3}(?:${group}\\d{3})+|\\d+)` : '\\d+';
    pattern = {
      number: new RegExp(`^[+-]?(?:${whole}(?:${point}\\d*)?|${point}\\d+)(?:e[+-]?\\d+)?$`, 'i'),
      ...(group && { separator: new RegExp(group, 'g') }),
    };
    patterns.set(key, pattern);
  }
  return pattern;
}

/**
 * The number that a cell spells in a format, or undefined: with its unit or without, `(12)` for −12 as accountants write
 * it, a hyphen or U+2212 for the minus. A percentage keeps its number: `12 %` is 12.
 */
export function formattedNumber(cell: string, format: NumberFormat): number | undefined {
  const { unit, decimal } = format;
  // Typeset numbers have a minus of their own.
  let text = cell.trim().replace(/−/g, '-');
  let sign = 1;
  if (text.startsWith('(') && text.endsWith(')')) {
    sign = -1;
    text = text.slice(1, -1).trim();
    if (/^[+-]/.test(text)) return undefined;
  }
  if (unit !== undefined) {
    const signed = /^[+-]/.exec(text)?.[0] ?? '';
    const behind = text.slice(signed.length).trimStart();
    if (behind.startsWith(unit)) text = signed + behind.slice(unit.length).trimStart();
    else if (text.endsWith(unit)) text = text.slice(0, -unit.length).trimEnd();
  }
  const { number, separator } = patternOf(format);
  if (!number.test(text)) return undefined;
  if (separator) text = text.replace(separator, '');
  return sign * Number(decimal === ',' ? text.replace(',', '.') : text);
}

const MONTHS = 'january february march april may june july august september october november december'.split(
  ' ',
);
const TIME = String.raw`(\d{1,2}):(\d{2})(?::(\d{2})([.,]\d+)?)?(?:\s*([ap])\.?m\.?)?`;
const ZONE = String.raw`\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?`;
const DATE_TIME = new RegExp(`^(.*?\\d)(?:[T ]\\s*|,\\s*)${TIME}${ZONE}$`, 'i');
const TIME_ALONE = new RegExp(`^${TIME}$`, 'i');
const YEAR_FIRST = /^([12]\d{3})(?:([-/.])(\d{1,2})\2(\d{1,2})|[-/](\d{2})|(\d{2})(\d{2}))$/;
const YEAR_LAST = /^(\d{1,2})([-/.])(\d{1,2})\2([12]\d{3})$/;
const DAY_MONTH = /^(\d{1,2})[ -]([a-z]{3,9})\.?,?[ -]([12]\d{3})$/i;
const MONTH_DAY = /^([a-z]{3,9})\.? (\d{1,2}),? ([12]\d{3})$/i;

/** What a cell holds of a date, and whether its digits leave the order of day and month open. */
export interface DateParts {
  readonly holds: DateFormat['holds'];
  /** Undefined where every order gives the same. */
  readonly order?: DateFormat['order'];
  readonly ambiguous?: boolean;
}

/** By its English name, whole or its first three letters; 0 for any other word, which is no month. */
function monthNumber(name: string): number {
  const word = name.toLowerCase();
  const short = word.length === 3 || word === 'sept';
  return MONTHS.findIndex((month) => month === word || (short && month.startsWith(word))) + 1;
}

function days(year: number, month: number, day: number): number | undefined {
  const time = Date.UTC(year, month - 1, day);
  const date = new Date(time);
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists ? time / 1000 : undefined;
}

/** Seconds since 1970 of a date without a time, or undefined. */
function dateSeconds(text: string, order: DateFormat['order']): number | undefined {
  let match = YEAR_FIRST.exec(text);
  if (match)
    return days(
      Number(match[1]),
      Number(match[3] ?? match[5] ?? match[6]),
      Number(match[4] ?? match[7] ?? 1),
    );
  match = order === 'ymd' ? null : YEAR_LAST.exec(text);
  if (match) {
    const [first, second] = [Number(match[1]), Number(match[3])];
    const [day, month] = order === 'mdy' ? [second, first] : [first, second];
    return days(Number(match[4]), month, day);
  }
  match = DAY_MONTH.exec(text);
  if (match) return days(Number(match[3]), monthNumber(match[2]), Number(match[1]));
  match = MONTH_DAY.exec(text);
  return match ? days(Number(match[3]), monthNumber(match[1]), Number(match[2])) : undefined;
}

/** Seconds since midnight. `parts` are hour, minute, second, fraction and `a` or `p`. */
function timeSeconds([hour, minute, second = '0', fraction = '', half]: readonly string[]):
  | number
  | undefined {
  let hours = Number(hour);
  if (half && (hours < 1 || hours > 12)) return undefined;
  if (half) hours = (hours % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
  if (hours > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  return hours * 3600 + Number(minute) * 60 + Number(second) + Number(fraction.replace(',', '.') || 0);
}

function zoneSeconds(zone: string | undefined): number {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone ?? '');
  if (!match) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60);
}

/**
 * Seconds since 1970 in UTC of a date, or since midnight of a time alone; undefined where the cell is neither. A time
 * without a zone is taken as it stands.
 */
export function dateValue(cell: string, { holds, order }: DateFormat): number | undefined {
  const text = cell.trim();
  if (holds === 'time') {
    const match = TIME_ALONE.exec(text);
    return match ? timeSeconds(match.slice(1)) : undefined;
  }
  const match = DATE_TIME.exec(text);
  // A column of dates and times may leave the time of midnight out.
  if (!match) return dateSeconds(text, order);
  if (holds === 'date') return undefined;
  const date = dateSeconds(match[1], order);
  const time = timeSeconds(match.slice(2, 7));
  return date === undefined || time === undefined ? undefined : date + time - zoneSeconds(match[7]);
}

/** What kind of date a cell is, or undefined where it is none. */
export function dateParts(cell: string): DateParts | undefined {
  const text = cell.trim();
  if (!/^[\da-z]/i.test(text) || !/\d[:/.\- ]|[a-z]{3}|^\d{8}$/i.test(text) || text.length > 40)
    return undefined;
  if (TIME_ALONE.test(text)) {
    return dateValue(text, { kind: 'date', holds: 'time', order: 'ymd' }) === undefined
      ? undefined
      : { holds: 'time' };
  }
  const match = DATE_TIME.exec(text);
  const holds = match ? 'date and time' : 'date';
  const valid = (order: DateFormat['order']) => dateValue(text, { kind: 'date', holds, order }) !== undefined;
  const numbers = YEAR_LAST.exec(match ? match[1] : text);
  if (!numbers) return valid('ymd') ? { holds } : undefined;
  const [dmy, mdy] = [valid('dmy'), valid('mdy')];
  if (!dmy && !mdy) return undefined;
  if (dmy && mdy) return { holds, ambiguous: numbers[1] !== numbers[3] };
  return { holds, order: dmy ? 'dmy' : 'mdy' };
}

/** Whether a cell is a day in eight digits, such as 19580329. */
export const isCompactDate = (cell: string): boolean =>
  /^\s*[12]\d{7}\s*$/.test(cell) && dateSeconds(cell.trim(), 'ymd') !== undefined;

const BOOLEAN_PAIRS: readonly (readonly [string, string])[] = [
  ['true', 'false'],
  ['yes', 'no'],
  ['t', 'f'],
  ['y', 'n'],
  ['on', 'off'],
];

/** Whether the different words of a column, in any case, are the two of a boolean. */
export function areBooleans(words: Iterable<string>): boolean {
  const different = new Set(Array.from(words, (word) => word.toLowerCase()));
  return different.size === 2 && BOOLEAN_PAIRS.some((pair) => pair.every((word) => different.has(word)));
}

/** A date's value as a day, a time or both. */
export function describeTime(seconds: number, holds: DateFormat['holds']): string {
  const step = holds === 'date' ? 86_400 : 1;
  const text = new Date(Math.round(seconds / step) * step * 1000).toISOString();
  if (holds === 'time') return text.slice(11, 19);
  return holds === 'date' ? text.slice(0, 10) : text.slice(0, 19).replace('T', ' ');
}
