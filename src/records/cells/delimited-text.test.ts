import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DelimitedRecord, delimitedRecords, type TextDialect } from './delimited-text.js';

const commas: TextDialect = { delimiter: ',', quote: '"', escapedBy: '"' };

/** The records of a text, given some lines at a time. */
async function records(text: string, dialect = commas, { at = 3, keepBlank = false } = {}) {
  const lines = text.split('\n');
  async function* chunks() {
    for (let i = 0; i < lines.length; i += at) yield { firstLine: i + 1, lines: lines.slice(i, i + at) };
  }
  const all: DelimitedRecord[] = [];
  for await (const part of delimitedRecords(chunks(), dialect, { keepBlank })) all.push(...part);
  return all;
}

describe('delimitedRecords', () => {
  it('reads quotes, delimiters and line ends inside quotes', async () => {
    expect(await records('a,"b,c"\n"d\ne","say ""hi"""\n,\n')).toEqual([
      { line: 1, cells: ['a', 'b,c'] },
      { line: 2, cells: ['d\ne', 'say "hi"'] },
      { line: 4, cells: ['', ''] },
    ]);
  });
  it('reads a backslash before a quote, and a quote inside a cell without quotes', async () => {
    const backslash = { ...commas, escapedBy: '\\' };
    expect(
      (await records('1,"he said \\"hi\\""\n2,"c:\\\\x"', backslash)).map(({ cells }) => cells[1]),
    ).toEqual(['he said "hi"', 'c:\\x']);
    expect((await records('1,5" pipe'))[0].cells).toEqual(['1', '5" pipe']);
  });
  it('gives the line of an open quote as bad, and the lines behind it as records', async () => {
    expect(await records('1,x\n2,"y\n3,z\n4,w')).toEqual([
      { line: 1, cells: ['1', 'x'] },
      { line: 2, cells: ['2', '"y'], fault: 'a quote is opened and not closed' },
      { line: 3, cells: ['3', 'z'] },
      { line: 4, cells: ['4', 'w'] },
    ]);
  });
  it('gives a line with text behind a closing quote as bad', async () => {
    expect(await records('1,"x"z\n2,y')).toEqual([
      { line: 1, cells: ['1', '"x"z'], fault: 'text behind a closing quote' },
      { line: 2, cells: ['2', 'y'] },
    ]);
  });
  it('passes blank lines over unless a record is one cell', async () => {
    expect((await records('a\n\nb')).length).toBe(2);
    expect((await records('a\n\nb', commas, { keepBlank: true })).length).toBe(3);
  });
  it('reads back whatever a writer of RFC 4180 writes, however it is cut', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ', ';'), maxLength: 6 });
    const table = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 5 }), async (rows, at) => {
        const text = rows.map((row) => row.map((c) => `"${c.replaceAll('"', '""')}"`).join(',')).join('\n');
        expect((await records(text, commas, { at })).map(({ cells }) => cells)).toEqual(rows);
      }),
      { numRuns: 200 },
    );
  });
});
