/** A text cell of a CSV file, quoted where it must be; null is an empty cell. */
export const csvCell = (cell: string | null): string =>
  cell === null ? '' : /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
