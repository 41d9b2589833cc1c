import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sunspots } from './real-records.case.js';
import { series } from './series.js';
import { croppings, numbers, records, rejections, seriesColumn, tokenizerCases } from './tokenizer.case.js';

const options = { columns: ['series'] };
const batchOf = (rows: readonly (readonly number[])[], channels = 1) =>
  records({ series: seriesColumn(rows, channels) }, rows.length);
const fitOn = (rows: readonly (readonly number[])[], channels = 1, more = {}) =>
  series.fit([batchOf(rows, channels)], { ...options, ...more });
const steps = (count: number, channels = 1) =>
  Array.from({ length: count * channels }, (_, i) => Math.sin(i * i));

tokenizerCases('series', { family: series, options, batch: batchOf(sunspots), empty: batchOf([]) });

describe('series', () => {
  it('gives each step a token with mean 0 and variance 1 over the training records', async () => {
    const tokenizer = await fitOn(sunspots);
    expect(tokenizer.spec).toEqual({ kind: 'continuous', channels: 1, maxTokens: 14, patch: 1 });
    const { values, offsets } = tokenizer.encode(batchOf(sunspots));
    expect([...offsets.subarray(0, 5)]).toEqual([0, 11, 20, 29, 43]);
    expect(values!.reduce((a, b) => a + b) / values!.length).toBeCloseTo(0, 5);
    expect(values!.reduce((sum, z) => sum + z * z, 0) / values!.length).toBeCloseTo(1, 5);
    expect(tokenizer.tokenLabel(3)).toBe('step 4');
    expect(tokenizer.fitted).toMatchObject({ 'shortest record (steps)': 9, 'missing values': 0 });
  });

  it('puts every value in its place, and decode gives it back', async () => {
    const shapes = fc.record({
      lengths: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
      channels: fc.integer({ min: 1, max: 3 }),
      patch: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ lengths, channels, patch }) => {
        fc.pre(patch < Math.max(...lengths));
        const rows = lengths.map((length) => steps(length, channels));
        const tokenizer = await fitOn(rows, channels, { patch });
        const { values, offsets } = tokenizer.encode(batchOf(rows, channels));
        const size = patch * channels;
        for (const [record, length] of lengths.entries()) {
          const tokens = offsets[record + 1] - offsets[record];
          expect(tokens).toBe(Math.ceil(length / patch));
          for (let i = 0; i < tokens * size; i++) {
            const [token, channel] = [Math.floor(i / size), i % size];
            const value = values![(offsets[record] + token) * size + channel];
            // Beyond the end of a record the last patch is filled with means.
            if (i >= length * channels) expect(value).toBe(0);
            else expect(tokenizer.decode!(token, channel, value)).toBeCloseTo(rows[record][i], 4);
          }
        }
      }),
    );
  });

  it('standardises each channel by itself, without its missing values, which become the mean', async () => {
    const rows = [
      [1, 10, Number.NaN, 20, 3, 30],
      [1, Number.NaN, 3, 20, Number.NaN, 20],
    ];
    const tokenizer = await fitOn(rows, 2);
    const { values } = tokenizer.encode(batchOf(rows, 2));
    const z = Math.sqrt(2.5);
    const expected = [-1, -z, 0, 0, 1, z, -1, 0, 1, 0, 0, 0];
    for (const [i, value] of values!.entries()) expect(value).toBeCloseTo(expected[i], 5);
    expect(tokenizer.fitted['missing values']).toBe(3);
    expect(tokenizer.decode!(0, 1, 0)).toBe(20);
  });

  it('keeps deviation 1 for a constant channel, and clips outliers at 10', async () => {
    const tokenizer = await fitOn([[5, 1, 5, -1]], 2);
    const { values } = tokenizer.encode(batchOf([[6, 1, 5, 1e9]], 2));
    expect([...values!]).toEqual([1, 1, 0, 10]);
  });

  it('chooses the smallest patch that gives at most maxTokens, and crops what is longer', async () => {
    const patchOf = async (length: number, more = {}) => {
      const { spec, fitted } = await fitOn([steps(length)], 1, more);
      return [spec.maxTokens, fitted['patch (steps)']];
    };
    expect(await patchOf(256)).toEqual([256, 1]);
    expect(await patchOf(257)).toEqual([129, 2]);
    expect(await patchOf(1000)).toEqual([250, 4]);
    expect(await patchOf(3)).toEqual([3, 1]);
    expect(await patchOf(100, { maxTokens: 50 })).toEqual([50, 2]);
    expect(await patchOf(100, { patch: 7 })).toEqual([15, 7]);
    expect(await patchOf(100, { patch: 2, maxTokens: 20 })).toEqual([20, 2]);
    await expect(patchOf(100, { maxTokens: 7 })).rejects.toThrow(
      'tokenizer.max_tokens = 7 cuts series of 100 steps into 7 tokens of 15 steps, fewer than 8',
    );
    await expect(patchOf(9, { patch: 9 })).rejects.toThrow('smaller than the 9 steps of the longest series');
    const tokenizer = await fitOn([steps(9)], 1, { patch: 2 });
    expect([...tokenizer.encode(batchOf([steps(30), steps(2)])).offsets]).toEqual([0, 5, 6]);
    expect(croppings(tokenizer, batchOf([steps(30), steps(10), steps(11)]))).toEqual([
      '0 series',
      '2 series',
    ]);
    expect(tokenizer.tokenLabel(1)).toBe('steps 3 – 4');
  });

  it('rejects a record without any value, and refuses other channels and columns', async () => {
    const tokenizer = await fitOn(sunspots);
    const gap = batchOf([[1, 2], [Number.NaN, Number.NaN], [3]]);
    expect(rejections(tokenizer, gap)).toEqual(['1 series: the series has no value']);
    const { rows, offsets, values } = tokenizer.encode(gap);
    expect([[...rows], [...offsets], values!.length]).toEqual([[0, 2], [0, 2, 3], 3]);
    expect(() => tokenizer.encode(batchOf([[1, 2]], 2))).toThrow(
      'series of 1 channels were expected, not of 2',
    );
    await expect(series.fit([records({ series: numbers([1]) }, 1)], options)).rejects.toThrow(
      'holds number values; the series tokenizer reads time series',
    );
    await expect(fitOn([[Number.NaN]])).rejects.toThrow('no value in any of the 1 training records');
  });
});
