/** Tables whose columns are parted by white space, one blank or as many as it takes to line them up. */
import { MISSING_WORDS, plainNumber } from './cell-format.js';

const MISSING = new Set(['', ...MISSING_WORDS]);

const isNumber = (cell: string): boolean => plainNumber(cell) !== undefined || MISSING.has(cell);

/** The cells of a line between runs of white space. A cell in double quotes may hold some. */
const cellsBetweenRuns = (line: string): string[] => line.match(/"[^"]*"|\S+/g) ?? [];

/**
 * Whether records are a table of numbers, which no text is by chance: all have as many cells, two at least, but for the first,
 * which may leave out the name of the first column as R does; most cells below it are numbers; and no column is empty.
 */
export function isNumberTable(records: readonly (readonly string[])[]): boolean {
  if (records.length === 0) return false;
  const [head, ...below] = records;
  const body = below.length > 0 ? below : records;
  const width = body[0].length;
  if (width < 2 || (head.length !== width && head.length !== width - 1)) return false;
  const filled = new Set<number>();
  for (const cells of body) {
    if (cells.length !== width || 2 * cells.filter(isNumber).length <= width) return false;
    for (const [place, cell] of cells.entries()) if (cell !== '') filled.add(place);
  }
  return filled.size === width;
}

/** Whether lines are a table of numbers between runs of white space. */
export const isAligned = (lines: readonly string[]): boolean =>
  isNumberTable(lines.filter((line) => line.trim() !== '').map(cellsBetweenRuns));

const [TAB, LINE_FEED, RETURN, BLANK, QUOTE] = [9, 10, 13, 32, 34];

/** A text with one blank for each run of blanks and tabs, none at the beginning and the end of a line, and those in quotes kept. */
export async function* singleBlanks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let quoted = false;
  /** Whether blanks were passed over since the last cell of the line. */
  let pending = false;
  let inLine = false;
  for await (const chunk of chunks) {
    // A blank that waited since the chunk before may be written, too.
    const kept = new Uint8Array(chunk.length + 1);
    let length = 0;
    for (const byte of chunk) {
      if (!quoted && (byte === BLANK || byte === TAB)) {
        pending = inLine;
        continue;
      }
      const ends = byte === LINE_FEED || byte === RETURN;
      const begins = pending || !inLine;
      if (pending && !ends) kept[length++] = BLANK;
      pending = false;
      inLine = !ends;
      quoted = byte === QUOTE ? !quoted && begins : quoted && !ends;
      kept[length++] = byte;
    }
    yield kept.subarray(0, length);
  }
}
