/** How a delimited file is written, found from its first lines and told, so that nothing is guessed twice. */
import { InputError } from '../../errors.js';
import { dateParts, isMissingNumber, plainNumber } from './cell-format.js';
import { type DelimitedRecord, delimitedRecords, type TextDialect } from './delimited-text.js';

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

const NAMED_CHARACTERS: Readonly<Record<string, string | undefined>> = { tab: '\t', space: ' ', '\\t': '\t' };

const DELIMITERS = [',', ';', '\t', '|'] as const;

/** Records that are looked at. */
const LOOKED_AT = 200;

/**
 * The dialect of a text whose first lines are given; `whole` says that there are no others. `known` are the names of the
 * columns that a run reads: a first record that holds one is a header. Throws InputError for a wish that the lines contradict.
 */
export async function findDialect(
  path: string,
  lines: readonly string[],
  wishes: DialectWishes,
  { tabs = false, known = [] }: { tabs?: boolean; known?: readonly string[] } = {},
): Promise<Dialect> {
  const notes: string[] = [];
  let start = 0;
  while (start < lines.length && lines[start].trim() === '') start++;
  const separator = /^"?sep=(.)"?$/i.exec(lines[start] ?? '')?.[1];
  if (separator !== undefined) {
    start++;
    while (start < lines.length && lines[start].trim() === '') start++;
  }
  const looked = lines.slice(start, start + LOOKED_AT);
  const quote = wishes.quote === 'none' ? '' : (wishes.quote ?? findQuote(looked, tabs));
  if (quote.length > 1)
    throw new InputError(`${path}: --quote: expected one character or none, got ${JSON.stringify(quote)}`);
  const escapedBy = quote !== '' && looked.some((line) => usesBackslash(line, quote)) ? '\\' : quote;
  const asked = wishes.delimiter;
  const delimiter =
    (asked && (NAMED_CHARACTERS[asked] ?? asked)) ??
    separator ??
    (tabs ? '\t' : await findDelimiter(looked, { quote, escapedBy }));
  if ([...delimiter].length !== 1 || delimiter === quote) {
    throw new InputError(
      `${path}: --delimiter: expected one character other than the quote, got ${JSON.stringify(delimiter)}`,
    );
  }
  const dialect = { delimiter, quote, escapedBy };
  const records = await recordsOf(looked, dialect);
  if (records.length === 0) throw new InputError(`${path}: only blank lines; expected records`);
  const most = commonest(records.map(({ cells }) => cells.length));
  // A delimiter at the end of every record makes one cell more, which is empty.
  const trailing = most > 1 && records.every(({ cells }) => cells.length !== most || cells[most - 1] === '');
  const width = trailing ? most - 1 : most;
  // Titles have fewer cells than the records below them.
  const titles = records.findIndex(({ cells }) => cells.length >= width);
  const fullWidth = Math.max(0, titles);
  const rest = records.slice(fullWidth);
  // R writes no name above the names of the rows.
  const isNameless = fullWidth > 0 && namesAllButOne(records[fullWidth - 1], rest);
  const spaced =
    quote === ''
      ? undefined
      : records.find(({ cells }) => cells.some((cell) => /^\s+/.test(cell) && cell.trim()[0] === quote));
  if (spaced) {
    throw new InputError(
      `${path}: line ${start + spaced.line}: a space before an opening quote, which is then a character like any other; remove the space, or read quotes as they are with --quote none`,
    );
  }
  const first = isNameless ? fullWidth - 1 : fullWidth;
  const skip = start + records[first].line - 1;
  if (first > 0) {
    notes.push(
      `${first === 1 ? 'the first line is a title' : `the first ${first} lines are titles`} and left out`,
    );
  }
  if (isNameless) notes.push('the first column has no name and is called index');
  const head = isNameless ? ['', ...records[first].cells] : records[first].cells;
  const body = records.slice(first + 1);
  const header =
    wishes.header === undefined
      ? looksLikeHeader(head, body, { known, decimal: wishes.decimal })
      : wishes.header === 'yes';
  return {
    ...dialect,
    header,
    skip,
    names: namesOf(header ? head : undefined, head.length),
    notes,
  };
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

/** Tabs divide cells that need no quotes, so there quotes are quotes only where cells begin and end with them. */
function findQuote(lines: readonly string[], tabs: boolean): string {
  const wraps = (quote: string, delimiters: string) =>
    new RegExp(`(^|[${delimiters}])${quote}[^${quote}]*${quote}([${delimiters}]|$)`);
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

/** The delimiter that gives the most lines the same number of cells, two at least; of equally good ones that of more cells. */
async function findDelimiter(
  lines: readonly string[],
  quoting: Omit<TextDialect, 'delimiter'>,
): Promise<string> {
  let best = { delimiter: ',', first: false, share: 0, width: 1 };
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
    if (decimals) continue;
    const better = share > best.share + 0.05 || (share >= best.share - 0.05 && width > best.width);
    if (first === best.first ? better : first) best = { delimiter, first, share, width };
  }
  return best.delimiter;
}

function decimalCommas(records: readonly DelimitedRecord[]): boolean {
  const body = records.slice(1).filter(({ cells }) => cells.length > 1);
  if (2 * body.length < records.length - 1 || body.length === 0) return false;
  return body.every(({ cells }) =>
    cells.every((cell) => !cell.includes(',') || /^\s*[+-]?\d*,\d+\s*$/.test(cell)),
  );
}

const isYear = (cell: string): boolean => /^\s*(1[5-9]|20)\d\d\s*$/.test(cell);

/**
 * Whether the first record names the columns: it holds a known name; or text above numbers; or years above what is none; or,
 * where all cells are text, none that comes back below. Names differ from one another and none is empty.
 */
function looksLikeHeader(
  head: readonly string[],
  body: readonly DelimitedRecord[],
  { known, decimal }: { known: readonly string[]; decimal?: '.' | ',' },
): boolean {
  const names = head.map((cell) => cell.trim());
  if (names.some((name) => known.includes(name))) return true;
  // The columns of a run without a header have numbers for names.
  if (known.length > 0 && known.every((name) => /^column\d+$/.test(name))) return false;
  if (body.length === 0) return names.every((name) => number(name, decimal) === undefined);
  const none = new Set<string>();
  /** Columns of numbers, dates and the like, and those among them with a name above that is none, or a year. */
  let valued = 0;
  let above = 0;
  let years = 0;
  for (let column = 0; column < names.length; column++) {
    const cells = body
      .map(({ cells }) => cells[column] ?? '')
      .filter((cell) => !isMissingNumber(cell, none, false));
    if (cells.length === 0 || !cells.every((cell) => isValue(cell, decimal))) continue;
    valued++;
    // Nothing stands above the names or numbers of rows.
    if (names[column] === '') above += Number(column === 0);
    else if (!isValue(names[column], decimal)) above++;
    else if (isYear(names[column]) && !cells.every(isYear)) years++;
  }
  if (above > 0) return !names.some((name) => isValue(name, decimal) && !isYear(name));
  if (valued > 0) return years === valued && new Set(names).size === names.length;
  if (new Set(names).size < names.length && names.length > 1) return false;
  return names.every(
    (name, column) => name === '' || !body.some(({ cells }) => cells[column]?.trim() === name),
  );
}

const number = (cell: string, decimal?: '.' | ','): number | undefined =>
  plainNumber(cell) ?? (decimal === '.' ? undefined : plainNumber(cell.replace(',', '.')));

/** A number, plain or with separators and signs around it, or a date. */
const isValue = (cell: string, decimal?: '.' | ','): boolean =>
  number(cell, decimal) !== undefined ||
  /^[-+($€£¥₹\s]*\d[\d.,'\s]*[%€$£)\s]*$/.test(cell) ||
  dateParts(cell) !== undefined;

/** Whether a line above records has a name for each of their cells but the first. */
function namesAllButOne({ cells, fault }: DelimitedRecord, records: readonly DelimitedRecord[]): boolean {
  const [{ cells: below }] = records;
  return (
    !fault && cells.length === below.length - 1 && cells.length > 1 && !cells.some((cell) => isValue(cell))
  );
}

/**
 * Names without white space around them. The first is `index` where it is empty, as pandas and R leave the names of rows;
 * another empty one is `column` with its number, a repeated one has a number behind it.
 */
function namesOf(header: readonly string[] | undefined, width: number): string[] {
  const taken = new Set<string>();
  return Array.from({ length: header?.length ?? width }, (_, column) => {
    const given = header?.[column].trim() || (header && column === 0 ? 'index' : `column${column}`);
    let name = given;
    for (let copy = 1; taken.has(name); copy++) name = `${given}_${copy}`;
    taken.add(name);
    return name;
  });
}

const spell = (character: string): string =>
  ({ '\t': 'tab', ' ': 'space', '': 'none' })[character] ?? (character === '"' ? `'"'` : `"${character}"`);

/** A dialect in words. */
export function describeDialect({ delimiter, quote, escapedBy, header, skip }: Dialect): string {
  const before = skip > 0 ? `, ${skip} ${skip === 1 ? 'line' : 'lines'} before it left out` : '';
  return `delimiter ${spell(delimiter)}, quote ${spell(quote)}${escapedBy !== quote ? ` with ${escapedBy} before it` : ''}, header ${header ? 'yes' : 'no'}${before}`;
}
