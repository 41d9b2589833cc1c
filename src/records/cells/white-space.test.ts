import { describe, expect, it } from 'vitest';
import { looksLikeTable } from './dialect.js';
import { isAligned, isNumberTable, singleBlanks } from './white-space.js';

const encoder = new TextEncoder();

/** What becomes of a text that comes in pieces of so many bytes. */
async function rewritten(text: string, size: number): Promise<string> {
  const bytes = encoder.encode(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
  }
  const decoder = new TextDecoder();
  let out = '';
  for await (const chunk of singleBlanks(chunks())) out += decoder.decode(chunk, { stream: true });
  return out;
}

describe('singleBlanks', () => {
  it('leaves one blank between cells and none around a line, wherever a text is cut', async () => {
    const text = '  a \t b\r\n\n1   "x  y"  5"  z \n ä  2\t';
    for (const size of [1, 2, 3, 7, 100])
      expect(await rewritten(text, size)).toBe('a b\r\n\n1 "x  y" 5" z\nä 2');
  });
  it('takes a quote for closed at the end of its line', async () => {
    expect(await rewritten('"a  b\nc   d\n', 4)).toBe('"a  b\nc d\n');
  });
});

describe('isNumberTable', () => {
  it('is of numbers in as many cells, also below names, one of which may be left out', () => {
    expect(isNumberTable([['1', '2']])).toBe(true);
    expect(
      isNumberTable([
        ['a', 'b'],
        ['row', '1', '2'],
        ['other', 'NA', '3'],
      ]),
    ).toBe(true);
  });
  it('is not of words, of other widths, or with a column that is always empty', () => {
    expect(isNumberTable([['Room', '101']])).toBe(false);
    expect(isNumberTable([['1', '2'], ['1', '2'], ['1']])).toBe(false);
    expect(isNumberTable([['1', '', '2']])).toBe(false);
    expect(isNumberTable([['1']])).toBe(false);
    expect(isNumberTable([])).toBe(false);
  });
  it('knows columns that stand below each other', () => {
    expect(isAligned([' 0.1   25.42  1', '10.1    5.42  0', ''])).toBe(true);
    expect(isAligned(['the quick brown fox', 'jumps over the dog'])).toBe(false);
  });
});

describe('looksLikeTable', () => {
  it('tells columns from lines of text', async () => {
    expect(await looksLikeTable(['name\tage', 'Ann\t3', 'Bo\t4'])).toBe(true);
    expect(await looksLikeTable(['5.1,3.5,1.4,0.2,setosa', '4.9,3.0,1.4,0.2,setosa'])).toBe(true);
    expect(await looksLikeTable(['  1   2', ' 10  20'])).toBe(true);
    expect(await looksLikeTable(['Well, yes', 'Oh, no'])).toBe(false);
    expect(await looksLikeTable(['CCO', 'CCN'])).toBe(false);
    expect(await looksLikeTable(['red,green', 'blue,grey'])).toBe(false);
  });
});
