import { describe, expect, it } from 'vitest';
import { fields } from '../tokenizers/fields.js';
import { realRecords, sunspots } from '../tokenizers/real-records.case.js';
import { records, texts } from '../tokenizers/tokenizer.case.js';
import { marginalPrediction } from './marginal.js';

const real = await realRecords();

describe('the prediction of the training marginal', () => {
  it('is the log frequency of each letter at every position of a sequence', () => {
    const { tokenizer, block } = real.discrete;
    const { spec } = tokenizer;
    const { shape, data } = marginalPrediction(spec, block);
    const vocabulary = shape[1];
    expect(shape).toEqual([40, spec.kind === 'discrete' ? spec.vocabulary : 0]);
    const tokens = block.ids!.length;
    for (let id = 0; id < vocabulary; id++) {
      const count = block.ids!.reduce((sum, other) => sum + Number(other === id), 0);
      const expected = Math.log((count + 0.5) / (tokens + 0.5 * vocabulary));
      for (const position of [0, 17, 39]) expect(data[position * vocabulary + id]).toBeCloseTo(expected, 5);
    }
  });

  it('is the mean of each channel at each position of an image', () => {
    const { tokenizer, block } = real.continuous;
    const { shape, data } = marginalPrediction(tokenizer.spec, block);
    expect(shape).toEqual([16, 49]);
    for (let i = 0; i < 16 * 49; i += 5) {
      let total = 0;
      for (let record = 0; record < block.count; record++) total += block.values![record * 16 * 49 + i];
      expect(data[i]).toBeCloseTo(total / block.count, 5);
    }
  });

  it('is the mean over the records that are long enough, where lengths vary', () => {
    const { tokenizer, block } = real.series;
    const { shape, data } = marginalPrediction(tokenizer.spec, block);
    expect(shape).toEqual([14, 1]);
    for (const [position, expected] of data.entries()) {
      const reached = sunspots.flatMap((cycle, record) =>
        position < cycle.length ? [block.values![block.offsets[record] + position]] : [],
      );
      expect(expected).toBeCloseTo(reached.reduce((a, b) => a + b) / reached.length, 5);
    }
  });

  it('is the mean of the present cells, or the share of each category among them, of a column', () => {
    const { tokenizer, block } = real.fields;
    const { shape, data } = marginalPrediction(tokenizer.spec, block);
    expect(shape).toEqual([5, 1 + 5]);
    // Columns are standardised by their present cells, so their means are 0; one petal length is missing.
    for (let column = 0; column < 4; column++) expect(data[column * 6]).toBeCloseTo(0, 5);
    // Five setosa, four versicolor, six virginica, one unknown; half a record is added to each.
    [5.5, 4.5, 6.5].forEach((count, i) => {
      expect(data[4 * 6 + 1 + 2 + i]).toBeCloseTo(Math.log(count / 16), 5);
    });
    // Nothing is said of ids that a column has not, nor of the number in a column of categories.
    const told = new Set([0, 6, 12, 18, 27, 28, 29]);
    for (const [i, value] of data.entries()) if (!told.has(i)) expect(value, `${i}`).toBe(0);
  });

  it('counts the letters of a text at each of its places, though they share ids', async () => {
    const notes = records({ note: texts(['ab', 'ab', 'aa', 'b']) }, 4);
    const tokenizer = await fields.fit([notes], { columns: ['note'], kinds: { note: 'text' } });
    const { shape, data } = marginalPrediction(tokenizer.spec, tokenizer.encode(notes));
    expect(shape).toEqual([4, 1 + 2 + 4]);
    // End of text, another letter, a, b; half a record is added to each.
    const expected = [
      [0.5, 0.5, 3.5, 1.5],
      [1.5, 0.5, 1.5, 2.5],
      [3.5, 0.5, 0.5, 0.5],
      [0.5, 0.5, 0.5, 0.5],
    ];
    for (const [position, counts] of expected.entries()) {
      for (const [i, count] of counts.entries()) {
        expect(data[position * 7 + 3 + i], `${position} ${i}`).toBeCloseTo(Math.log(count / 4), 5);
      }
    }
  });

  it('is the mean of what the cells hold, were they not standardised', () => {
    const { tokenizer, block } = real.fields;
    const values = block.values!.map((value, i) => value + (i % 5) + 1);
    const { data } = marginalPrediction(tokenizer.spec, { ...block, values });
    for (let column = 0; column < 5; column++) expect(data[column * 6]).toBeCloseTo(column + 1, 5);
  });
});
