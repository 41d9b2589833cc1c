/** A cell; numbers are aligned to the right. Round them first: a cell is printed as it is. */
export type Cell = string | number;

/** Plain rows as lines of text with aligned columns: for a terminal, or as Markdown. No line ends in spaces. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  style: 'terminal' | 'markdown' = 'terminal',
): string {
  const markdown = style === 'markdown';
  const print = (cell: Cell) => (markdown ? String(cell).replaceAll('|', '\\|') : String(cell));
  const texts = [header, ...rows].map((row) => header.map((_, column) => print(row[column] ?? '')));
  const right = header.map((_, column) => rows.length > 0 && rows.every((row) => isNumeric(row[column])));
  const widths = header.map((_, column) => Math.max(3, ...texts.map((row) => length(row[column]))));
  const lines = texts.map((row) =>
    row.map((text, column) => {
      const space = ' '.repeat(widths[column] - length(text));
      return right[column] ? space + text : text + space;
    }),
  );
  const rule = widths.map((width, column) =>
    markdown && right[column] ? `${'-'.repeat(width - 1)}:` : (markdown ? '-' : '─').repeat(width),
  );
  lines.splice(1, 0, rule);
  return lines
    .map((cells) => (markdown ? `| ${cells.join(' | ')} |` : cells.join('  ').trimEnd()))
    .join('\n');
}

/** Numbers, and short texts that start like one: "0.71 ± 0.02", "> 200", "**0.71**". */
function isNumeric(cell: Cell | undefined): boolean {
  return (
    typeof cell !== 'string' ||
    cell === '' ||
    cell === '–' ||
    (cell.length <= 40 && /^(\*\*)?[-−+<>]? ?[\d.]/.test(cell))
  );
}

/** Code points: what a terminal gives one column to, East Asian and combining characters excepted. */
function length(text: string): number {
  return [...text].length;
}
