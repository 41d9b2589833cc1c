/** Lines of a table, as they are written. */
import type { TableCell } from './table-files.js';

/** Items of which the lines are written together. */
const BLOCK = 2048;

/** The lines of each of `count` items, in blocks. */
export async function* inBlocks(
  count: number,
  linesOf: (item: number) => readonly (readonly TableCell[])[],
): AsyncGenerator<readonly (readonly TableCell[])[]> {
  for (let first = 0; first < count; first += BLOCK)
    yield Array.from({ length: Math.min(BLOCK, count - first) }, (_, i) => linesOf(first + i)).flat();
}
