/** How a delimited file is written, found from its first lines and told, so that nothing is guessed twice. */
import { InputError } from '../../errors.js';
import { type DelimitedRecord, delimitedRecords, type TextDialect } from './delimited-text.js';
import { judgeHeader, namesAllButOne, namesOf, namesValues, withoutSingleQuotes } from './header.js';
import { isAligned, isNumberTable } from './white-space.js';

/** What a user may say of a delimited file. */
export interface DialectWishes {
  readonly delimiter?: string;
  /** `none`: quotes are ordinary characters. */
  readonly quote?: string;
  readonly header?: 'yes' | 'no';
  readonly decimal?: '.' | ',';
  readonly missing?: readonly string[];
}

/** How a delimited file is written. */
export interface Dialect extends TextDialect {
  readonly header: boolean;
  /** Lines before the header or the first record: blank ones, titles, `sep=;`. */
  readonly skip: number;
  readonly names: readonly string[];
  /** What was decided and may surprise, a sentence each. */
  readonly notes: readonly string[];
}

const NAMED_CHARACTERS: Readonly<Record<string, string | undefined>> = {
  tab: '\t',
  '\\t': '\t',
  space: ' ',
  // Once its runs are one blank each: see `hasAlignedColumns`.
  whitespace: ' ',
};

const DELIMITERS = [',', ';', '\t', '|'] as const;

/** Records that are looked at. */
const LOOKED_AT = 200;

/**
 * The dialect of a text whose first lines are given. `tabs` says that it is TSV; `known` are the names of the columns that a run reads: a first record that holds one is a header. Throws InputError for a wish that the lines contradict.
 */
export async function findDialect(
  path: string,
  lines: readonly string[],
  wishes: DialectWishes,
  { tabs = false, known = [] }: { tabs?: boolean; known?: readonly string[] } = {},
): Promise<Dialect> {
  const notes: string[] = [];
  const { start, separator } = beginningOf(lines);
  const looked = lines.slice(start, start + LOOKED_AT);
  const quote = wishes.quote === 'none' ? '' : (wishes.quote ?? findQuote(looked, tabs));
  if (quote === '' && wishes.quote === undefined) {
    const quoted = lines.slice(start + LOOKED_AT).filter((line) => wraps('"', '\t').test(line)).length;
    if (quoted > 0) notes.push(lateQuotes(quoted));
  }
  if (quote.length > 1)
    throw new InputError(`${path}: --quote: expected one character or none, got ${JSON.stringify(quote)}`);
  const escapedBy = quote !== '' && looked.some((line) => usesBackslash(line, quote)) ? '\\' : quote;
  const asked = wishes.delimiter;
  const delimiter =
    (asked && (NAMED_CHARACTERS[asked] ?? asked)) ??
    separator ??
    (tabs ? '\t' : ((await findDelimiter(looked, { quote, escapedBy })) ?? ','));
  if ([...delimiter].length !== 1 || delimiter === quote) {
    throw new InputError(
      `${path}: --delimiter: expected one character other than the quote, got ${JSON.stringify(delimiter)}`,
    );
  }
  const dialect = { delimiter, quote, escapedBy };
  const records = await recordsOf(looked, dialect);
  if (records.length === 0) throw new InputError(`${path}: only blank lines; expected records`);
  const most = commonest(records.map(({ cells }) => cells.length));
  // Delimiters at the end of every record make more cells, which are empty.
  const filled = records.map(({ cells }) => (cells.length === most ? cells.findLastIndex(isFilled) : -1));
  const widest = filled.reduce((most, last) => Math.max(most, last + 1), 0) || most;
  const later = lines.slice(start + LOOKED_AT);
  const empty = delimiter.repeat(most - widest);
  const width = later.every((line) => line === '' || line.endsWith(empty)) ? widest : most;
  refuseSpacedQuotes(path, records, { quote, start });
  const { first, isNameless } = findFirst(records, width, wishes);
  const skip = start + records[first].line - 1;
  if (first > 0) {
    notes.push(
      `${first === 1 ? 'the first line is a title' : `the first ${first} records are titles`} and left out`,
    );
  }
  const { cells } = records[first];
  const body = records.slice(first + 1);
  // Delimiters behind the last name are no names.
  const named = cells.slice(width).some(isFilled) ? cells : cells.slice(0, width);
  const lacksLast =
    isNameless && 2 * body.filter((record) => isFilled(record.cells[width - 1])).length < body.length;
  if (lacksLast) notes.push(`the last column, mostly empty, has no name and is called column${width - 1}`);
  else if (isNameless) {
    const second = JSON.stringify(cells[0].trim());
    notes.push(`the first column has no name and is called index, and ${second} is the second`);
  }
  const nameless = lacksLast ? [...named, ''] : ['', ...named];
  const head = withoutSingleQuotes(isNameless ? nameless : named);
  const { header, doubt } =
    wishes.header === undefined
      ? judgeHeader(head, body, { known, decimal: wishes.decimal })
      : { header: wishes.header === 'yes', doubt: undefined };
  if (doubt) notes.push(doubt);
  return {
    ...dialect,
    header,
    skip,
    names: namesOf(header ? head : undefined, head.length),
    notes,
  };
}

const isFilled = (cell: string | undefined): boolean => cell !== undefined && cell !== '';

/** Where the lines begin that are not blank, below a line such as `sep=;`, and what that says. */
function beginningOf(lines: readonly string[]): { start: number; separator?: string } {
  const behindBlanks = (from: number) => {
    let at = from;
    while (at < lines.length && lines[at].trim() === '') at++;
    return at;
  };
  const start = behindBlanks(0);
  const separator = /^"?sep=(.)"?$/i.exec(lines[start] ?? '')?.[1];
  return separator === undefined ? { start } : { start: behindBlanks(start + 1), separator };
}

/** Whether columns stand between runs of white space, which have to become one blank each before the dialect is found. */
export async function hasAlignedColumns(
  lines: readonly string[],
  { delimiter }: DialectWishes,
  tabs: boolean,
): Promise<boolean> {
  if (delimiter !== undefined) return delimiter === 'whitespace';
  const { start, separator } = beginningOf(lines);
  const looked = lines.slice(start, start + LOOKED_AT);
  if (tabs || separator !== undefined || !isAligned(looked)) return false;
  return (await findDelimiter(looked, { quote: '"', escapedBy: '"' })) === undefined;
}

/** Whether lines that were not said to be a table look like one: divided by tabs, or into numbers. */
export async function looksLikeTable(lines: readonly string[]): Promise<boolean> {
  const looked = lines.slice(0, LOOKED_AT).filter((line) => line.trim() !== '');
  if (looked.length < 2) return false;
  if (isAligned(looked)) return true;
  const quoting = { quote: '"', escapedBy: '"' };
  const delimiter = await findDelimiter(looked, quoting);
  if (delimiter === undefined) return false;
  const records = (await recordsOf(looked, { ...quoting, delimiter })).map(({ cells }) => cells);
  const even = records.every(({ length }) => length === records[0].length);
  return even && (delimiter === '\t' || isNumberTable(records));
}

/** Titles at most that have as many cells as the records below them. */
const MOST_TITLES = 3;

/**
 * The first record that is no title, and whether it names all columns but the first, as R writes them. A title has fewer
 * cells than the records below it; or as many that are no names, where a record below it names columns of numbers.
 */
function findFirst(
  records: readonly DelimitedRecord[],
  width: number,
  { header, decimal }: DialectWishes,
): { first: number; isNameless: boolean } {
  const full = Math.max(
    0,
    records.findIndex(({ cells }) => cells.length >= width),
  );
  const rest = records.slice(full);
  const names = (place: number) =>
    namesValues(rest[place]?.cells ?? [], rest.slice(place + 1), decimal, { title: place > 0 });
  if (full > 0 && !names(0) && namesAllButOne(records[full - 1], rest))
    return { first: full - 1, isNameless: true };
  if (header === undefined && !names(0)) {
    for (let titles = 1; titles <= MOST_TITLES && isNoHeader(rest[titles - 1]); titles++) {
      if (names(titles)) return { first: full + titles, isNameless: false };
    }
  }
  return { first: full, isNameless: false };
}

/** Whether a record cannot name columns: a cell is empty, or stands twice, or a comment begins it. Units below names may. */
const isNoHeader = (record: DelimitedRecord | undefined): boolean =>
  record !== undefined &&
  (record.cells[0].startsWith('#') ||
    record.cells.some((cell) => cell.trim() === '') ||
    new Set(record.cells).size < record.cells.length);

function refuseSpacedQuotes(
  path: string,
  records: readonly DelimitedRecord[],
  { quote, start }: { quote: string; start: number },
): void {
  const isSpaced = (cell: string) => /^\s+/.test(cell) && cell.trim()[0] === quote;
  const spaced = quote === '' ? undefined : records.find(({ cells }) => cells.some(isSpaced));
  if (!spaced) return;
  throw new InputError(
    `${path}: line ${start + spaced.line}: a space before an opening quote, which is then a character like any other; remove the space, or read quotes as they are with --quote none`,
  );
}

async function recordsOf(lines: readonly string[], dialect: TextDialect): Promise<DelimitedRecord[]> {
  const records: DelimitedRecord[] = [];
  async function* chunk() {
    yield { firstLine: 1, lines };
  }
  for await (const part of delimitedRecords(chunk(), dialect)) records.push(...part);
  // The lines end somewhere, and a quote that is open there may be closed in the next one.
  const last = records.findIndex(({ fault }) => fault?.includes('not closed'));
  return last > 0 ? records.slice(0, last) : records;
}

function commonest(counts: readonly number[]): number {
  const occurrences = new Map<number, number>();
  for (const count of counts) occurrences.set(count, (occurrences.get(count) ?? 0) + 1);
  return [...occurrences].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}

/** What finds a cell that begins and ends with a quote. */
const wraps = (quote: string, delimiters: string): RegExp =>
  new RegExp(`(^|[${delimiters}])${quote}[^${quote}]*${quote}([${delimiters}]|$)`);

const lateQuotes = (count: number): string =>
  `quotes are read as letters, since no cell of the first ${LOOKED_AT} lines is in quotes; ${count} later ${count === 1 ? 'line has' : 'lines have'} such cells; --quote '"' takes the quotes off`;

/** Tabs divide cells that need no quotes, so there quotes are quotes only where cells begin and end with them. */
function findQuote(lines: readonly string[], tabs: boolean): string {
  if (tabs) return lines.some((line) => wraps('"', '\t').test(line)) ? '"' : '';
  const double = lines.some((line) => line.includes('"'));
  const single = wraps("'", ',;|\t');
  const singles = lines.filter((line) => single.test(line)).length;
  return !double && singles > 0 && 2 * singles >= lines.length ? "'" : '"';
}

/** Whether a quote inside quotes has a backslash before it: `"he said \"hi\""`. */
function usesBackslash(line: string, quote: string): boolean {
  const open = line.indexOf(quote);
  const escaped = line.indexOf(`\\${quote}`, open + 1);
  const next = line[escaped + 2];
  return open >= 0 && escaped > 0 && next !== undefined && !`,;\t|${quote}`.includes(next);
}

/**
 * The delimiter that gives the most lines the same number of cells, two at least; of equally good ones that of more cells.
 * Where there is none, a blank if it divides a table of numbers.
 */
async function findDelimiter(
  lines: readonly string[],
  quoting: Omit<TextDialect, 'delimiter'>,
): Promise<string | undefined> {
  let best: { delimiter?: string; first: boolean; share: number; width: number } = {
    first: false,
    share: 0,
    width: 1,
  };
  for (const delimiter of DELIMITERS) {
    const records = await recordsOf(lines, { ...quoting, delimiter });
    const widths = records.map(({ cells }) => cells.length);
    if (widths.length === 0) continue;
    const width = commonest(widths);
    if (width < 2) continue;
    const share = widths.filter((count) => count === width).length / widths.length;
    // What the first line is not divided by divides lists within cells.
    const first = share > 0.9 && widths[0] === width;
    // `0,5;1,5`: a comma between digits in every cell that a semicolon divides is a decimal comma.
    const decimals =
      delimiter === ',' && decimalCommas(await recordsOf(lines, { ...quoting, delimiter: ';' }));
    if (decimals || (delimiter === ',' && !first && isProse(lines))) continue;
    const better = share > best.share + 0.05 || (share >= best.share - 0.05 && width > best.width);
    if (first === best.first ? better : first) best = { delimiter, first, share, width };
  }
  if (best.delimiter !== undefined) return best.delimiter;
  const records = await recordsOf(lines, { ...quoting, delimiter: ' ' });
  return isNumberTable(records.map(({ cells }) => cells)) ? ' ' : undefined;
}

/** Whether every comma has a space behind it, as in sentences. */
const isProse = (lines: readonly string[]): boolean => lines.every((line) => !/,(?! )/.test(line));

function decimalCommas(records: readonly DelimitedRecord[]): boolean {
  const body = records.slice(1).filter(({ cells }) => cells.length > 1);
  if (2 * body.length < records.length - 1 || body.length === 0) return false;
  return body.every(({ cells }) =>
    cells.every((cell) => !cell.includes(',') || /^\s*[+-]?\d*,\d+\s*$/.test(cell)),
  );
}

const spell = (character: string): string =>
  ({ '\t': 'tab', ' ': 'space', '': 'none' })[character] ?? (character === '"' ? `'"'` : `"${character}"`);

/** A dialect in words. */
export function describeDialect({ delimiter, quote, escapedBy, header, skip }: Dialect): string {
  const before = skip > 0 ? `, ${skip} ${skip === 1 ? 'line' : 'lines'} before it left out` : '';
  return `delimiter ${spell(delimiter)}, quote ${spell(quote)}${escapedBy !== quote ? ` with ${escapedBy} before it` : ''}, header ${header ? 'yes' : 'no'}${before}`;
}
