import { describe, expect, it } from 'vitest';
import { csvCell, safeCsvCell } from './csv-cell.js';

describe('cells of a CSV file', () => {
  it('are quoted where they must be', () => {
    expect(['a', 'a,b', 'say "x"', 'two\nlines', '', null].map(csvCell)).toEqual([
      'a',
      '"a,b"',
      '"say ""x"""',
      '"two\nlines"',
      '',
      '',
    ]);
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['+ab', "'+ab"],
    ['-2+3', "'-2+3"],
    ['\t=1', "'\t=1"],
  ])('that a spreadsheet would run get an apostrophe: %j', (cell, expected) => {
    expect(safeCsvCell(cell)).toBe(expected);
    expect(csvCell(cell)).not.toContain("'");
  });

  it.each(['-3.5', '+1', '-1e-9', '.5', '-', 'C=O', '1-2', "it's", '10_1'])('%j stays as it is', (cell) => {
    expect(safeCsvCell(cell)).toBe(cell);
  });
});
