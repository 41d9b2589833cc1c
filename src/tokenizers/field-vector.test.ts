import { describe, expect, it } from 'vitest';
import { MISSING_ID, PRESENT_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { numbers, records, rejections, seriesColumn, texts } from './tokenizer.case.js';

const fitLists = (...lists: readonly (readonly number[])[]) =>
  fields.fit([records({ point: seriesColumn(lists) }, lists.length)], { columns: ['point'] });
const column = (...lists: readonly (readonly number[])[]) =>
  records({ point: seriesColumn(lists) }, lists.length);

describe('a column of lists', () => {
  it('is one token per element, each standardised by its own mean and deviation', async () => {
    const tokenizer = await fitLists([1, 100], [3, 300]);
    const { values } = tokenizer.encode(column([1, 300], [2, 200], [3, 1e9]));
    expect([...values!]).toEqual([-1, 1, 0, 0, 1, 10]);
    expect(tokenizer.decode!(0, 0, 1)).toBe(3);
    expect(tokenizer.decode!(1, 0, -1)).toBe(100);
    expect(tokenizer.tokenLabel(1)).toBe('point[1]');
    expect(tokenizer.tokenLabel(1, MISSING_ID)).toBe('point[1] missing');
  });

  it('learns from all batches and passes over what is missing', async () => {
    const lists = [[], [1, 5], [3, Number.NaN], [5, 7]];
    const tokenizer = await fields.fit(
      lists.map((list) => column(list)),
      { columns: ['point'] },
    );
    expect(tokenizer.toJSON()).toMatchObject({ fields: [{ means: [3, 6], sds: [Math.sqrt(8 / 3), 1] }] });
    const { ids } = tokenizer.encode(column([], [3, Number.NaN]));
    expect([...ids!]).toEqual([MISSING_ID, MISSING_ID, PRESENT_ID, MISSING_ID]);
    const empty = tokenizer.encode(records({ point: texts([null]) }, 1));
    expect([...empty.ids!]).toEqual([MISSING_ID, MISSING_ID]);
  });

  it('keeps deviation 1 for an element that never varies', async () => {
    const tokenizer = await fitLists([4, 1], [4, 2]);
    expect([...tokenizer.encode(column([5, 1.5])).values!]).toEqual([1, 0]);
  });

  it('rejects lists of another length and infinite numbers, and takes no other type', async () => {
    const tokenizer = await fitLists([1, 2], [3, 5], [9, 9, 9]);
    expect(rejections(tokenizer, column([1], [1, 2], [1, Infinity]))).toEqual([
      '0 point: a list of 1 numbers, where 2 were expected as in training',
      '2 point: number 2 of the list is infinite',
    ]);
    expect(() => tokenizer.encode(records({ point: numbers([1]) }, 1))).toThrow(
      'column "point" holds numbers, but lists of numbers were expected',
    );
    expect(() => tokenizer.encode(records({ point: seriesColumn([[1, 2]], 2) }, 1))).toThrow(
      'time series of 2 channels',
    );
  });
});
