import { describe, expect, it } from 'vitest';
import { MISSING_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { croppings, numbers, records, rejections, texts, unknowns } from './tokenizer.case.js';

const fitTexts = (values: readonly (string | null)[]) =>
  fields.fit([records({ note: texts(values) }, values.length)], {
    columns: ['note'],
    kinds: { note: 'text' },
  });
const column = (...values: (string | null)[]) => records({ note: texts(values) }, values.length);
const lengthFor = async (lengths: readonly number[]) =>
  (await fitTexts(lengths.map((length) => 'a'.repeat(length)))).spec.maxTokens;

describe('a column of free text', () => {
  it('is its letters, the end of the text, and missing tokens behind', async () => {
    const tokenizer = await fitTexts(['ab', 'b🧬', null, '']);
    const [end, other, a, b, helix] = [2, 3, 4, 5, 6];
    expect(tokenizer.spec).toMatchObject({ vocabulary: 7, maxTokens: 4 });
    const { ids } = tokenizer.encode(column('ab', '🧬', '', null, 'a?bb', 'aabba'));
    expect([...ids!]).toEqual([
      ...[a, b, end, MISSING_ID],
      ...[helix, end, MISSING_ID, MISSING_ID],
      ...[end, MISSING_ID, MISSING_ID, MISSING_ID],
      ...[MISSING_ID, MISSING_ID, MISSING_ID, MISSING_ID],
      ...[a, other, b, b],
      ...[a, a, b, b],
    ]);
    expect(tokenizer.tokenLabel(1, b)).toBe('note: letter 2 = b');
    expect(tokenizer.tokenLabel(0, end)).toBe('note: letter 1 = end of text');
    expect(tokenizer.tokenLabel(0, other)).toBe('note: letter 1 = another letter');
    expect(tokenizer.tokenLabel(3, MISSING_ID)).toBe('note: letter 4 missing');
    expect(tokenizer.decode!(0, 0, 1)).toBeNaN();
  });

  it('has tokens for 95 % of the lengths in steps of four, 32 at most', async () => {
    expect(await lengthFor([3, 5, 8])).toBe(8);
    expect(await lengthFor([3, 9])).toBe(12);
    expect(await lengthFor([...Array(95).fill(4), ...Array(5).fill(30)])).toBe(4);
    expect(await lengthFor([...Array(94).fill(4), ...Array(6).fill(30)])).toBe(32);
    expect(await lengthFor([5000])).toBe(32);
  });

  it('tells of an unseen letter once a record, and of none where the alphabet is too large to list', async () => {
    const tokenizer = await fitTexts(['abba']);
    expect(unknowns(tokenizer, column('aXY', 'ab', 'Z'))).toEqual(['0 note: X', '2 note: Z']);
    // What is cropped is not read.
    expect(unknowns(tokenizer, column('abbaX'))).toEqual([]);
    expect(croppings(tokenizer, column('abba', 'abbaX', 'ab', 'abbaab'))).toEqual(['1 note', '3 note']);
    expect(rejections(tokenizer, column('ab', 'aX'), { unseen: 'reject' })).toEqual([
      '1 note: letter "X" was not seen in training (2 letters)',
    ]);
    const many = Array.from({ length: 200 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    const open = await fitTexts([...many, ...many.slice(0, 3)]);
    expect(open.spec).toMatchObject({ vocabulary: 2 + 2 + 128 });
    expect(unknowns(open, column('aX', many[199]))).toEqual([]);
  });

  it('reads numbers as they are printed', async () => {
    const tokenizer = await fitTexts(['10', '21']);
    const { ids } = tokenizer.encode(records({ note: numbers([12, Number.NaN]) }, 2));
    expect([...ids!]).toEqual([5, 6, 2, 1, 1, 1, 1, 1]);
  });
});
