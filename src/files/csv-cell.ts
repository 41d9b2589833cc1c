/** A text cell of a CSV file, quoted where it must be; null is an empty cell. */
export const csvCell = (cell: string | null): string =>
  cell === null ? '' : /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The same for a file that people open. A spreadsheet runs a text that begins with `=`, `@`, tab or carriage return, or with
 * a sign and no number behind it, so such a text gets an apostrophe before it.
 */
export const safeCsvCell = (cell: string | null): string => {
  const runs = cell !== null && (/^[=@\t\r]/.test(cell) || (/^[+-]./s.test(cell) && !NUMBER.test(cell)));
  return csvCell(runs ? `'${cell}` : cell);
};
