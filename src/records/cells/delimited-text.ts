/** Records of delimited text, cell by cell, with the line where each begins. No file is too odd for it, but it is slow. */
import type { LineChunk } from '../bytes/bytes.js';

/** How a delimited text is written. */
export interface TextDialect {
  readonly delimiter: string;
  /** Empty where quotes are ordinary characters. */
  readonly quote: string;
  /** What stands before a quote inside quotes: the quote itself, or a backslash. */
  readonly escapedBy: string;
}

/** A record, or the line of one that cannot be read. */
export interface DelimitedRecord {
  /** Counted from 1. */
  readonly line: number;
  readonly cells: readonly string[];
  /** Why it cannot be read. */
  readonly fault?: string;
}

/** A quote that is not closed within so many characters is taken for one that never is. */
const LONGEST_QUOTED = 1 << 24;

/** The cells of one line without a line end in quotes, or how its quotes fail. */
function cellsOf(text: string, { delimiter, quote, escapedBy }: TextDialect): string[] | 'open' | 'trailing' {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] !== quote) {
      const end = text.indexOf(delimiter, at);
      cells.push(end < 0 ? text.slice(at) : text.slice(at, end));
      if (end < 0) return cells;
      at = end + delimiter.length;
      continue;
    }
    let cell = '';
    let start = ++at;
    for (;;) {
      const next = nextOf(text, quote, escapedBy, at);
      if (next < 0) return 'open';
      if (
        text[next] === escapedBy &&
        (escapedBy !== quote || text[next + 1] === quote) &&
        next + 1 < text.length
      ) {
        const escapes = text[next + 1] === quote || text[next + 1] === escapedBy;
        cell += text.slice(start, next) + (escapes ? '' : escapedBy) + text[next + 1];
        at = next + 2;
        start = at;
        continue;
      }
      if (text[next] !== quote) return 'open';
      cells.push(cell + text.slice(start, next));
      at = next + 1;
      break;
    }
    if (at === text.length) return cells;
    if (!text.startsWith(delimiter, at)) return 'trailing';
    at += delimiter.length;
  }
}

/** Where the next quote or escapedBy is. */
function nextOf(text: string, quote: string, escapedBy: string, from: number): number {
  const next = text.indexOf(quote, from);
  if (escapedBy === quote) return next;
  const escaped = text.indexOf(escapedBy, from);
  return escaped >= 0 && (next < 0 || escaped < next) ? escaped : next;
}

/**
 * The records of lines, a list for each chunk. A quoted cell may hold line ends. A record whose quote is never closed, or
 * has text behind its closing quote, has a `fault`: it ends with its line, and the next line begins a record. Blank lines
 * are no records, unless a record is a single cell (`keepBlank`).
 */
export async function* delimitedRecords(
  chunks: AsyncIterable<LineChunk>,
  dialect: TextDialect,
  { keepBlank = false } = {},
): AsyncGenerator<readonly DelimitedRecord[]> {
  const { quote, delimiter, escapedBy } = dialect;
  /** Lines from one with an open quote on, and the number of the first. */
  let held: string[] = [];
  let heldFrom = 0;
  let heldLength = 0;

  /** Two quotes close a cell and open another, or stand for one. */
  const mayClose = (line: string) => line.split(quote).length % 2 === 0 || escapedBy !== quote;
  const faulty = (line: number, text: string, fault: string): DelimitedRecord => {
    return { line, cells: text.split(delimiter), fault };
  };
  /** The records of the held lines, whose first is bad; more lines may be held behind it. */
  function* released(): Generator<DelimitedRecord> {
    const lines = held;
    const first = heldFrom;
    held = [];
    yield faulty(first, lines[0], 'a quote is opened and not closed');
    for (let i = 1; i < lines.length; i++) yield* recordsOf(lines[i], first + i);
  }
  function* recordsOf(line: string, number: number): Generator<DelimitedRecord> {
    if (held.length > 0) {
      held.push(line);
      heldLength += line.length + 1;
      if (!mayClose(line)) {
        if (heldLength > LONGEST_QUOTED) yield* released();
        return;
      }
      const cells = cellsOf(held.join('\n'), dialect);
      if (cells === 'open') return;
      if (cells === 'trailing') {
        yield* released();
        return;
      }
      held = [];
      yield { line: heldFrom, cells };
      return;
    }
    if (line.trim() === '' && !keepBlank) return;
    if (quote === '' || !line.includes(quote)) {
      yield { line: number, cells: line.split(delimiter) };
      return;
    }
    const cells = cellsOf(line, dialect);
    if (cells === 'open') {
      held = [line];
      heldFrom = number;
      heldLength = line.length;
    } else if (cells === 'trailing') yield faulty(number, line, 'text behind a closing quote');
    else yield { line: number, cells };
  }

  for await (const { firstLine, lines } of chunks) {
    const records: DelimitedRecord[] = [];
    for (let i = 0; i < lines.length; i++)
      for (const record of recordsOf(lines[i], firstLine + i)) records.push(record);
    if (records.length > 0) yield records;
  }
  while (held.length > 0) yield [...released()];
}
