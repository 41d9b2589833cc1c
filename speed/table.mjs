/** @typedef {{ median: number, quartiles: [number, number] }} Summary */

/** @returns {Summary} */
export function summary(/** @type {readonly number[]} */ values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => sorted[Math.round(share * (sorted.length - 1))];
  return { median: at(0.5), quartiles: [at(0.25), at(0.75)] };
}

export const number = (/** @type {number | undefined} */ value, digits = 1) =>
  value === undefined ? '' : value.toFixed(digits);

/** The median with both quartiles. */
export const spread = (/** @type {Summary | undefined} */ s, digits = 1) =>
  s
    ? `${number(s.median, digits)} (${number(s.quartiles[0], digits)} – ${number(s.quartiles[1], digits)})`
    : '';

/** Rows of cells, the first of them the head, as a Markdown table with columns of even width. */
export function markdownTable(/** @type {readonly (readonly string[])[]} */ rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (/** @type {readonly string[]} */ row) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [head, ...body] = rows;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...body.map(line)].join('\n');
}
