import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MISSING_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { numbers, records, rejections, texts } from './tokenizer.case.js';
import type { Tokenizer } from './tokenizer.js';

const seconds = (date: string) => Date.parse(`${date}Z`) / 1000;
const fitDates = (dates: readonly number[]) =>
  fields.fit([records({ t: numbers(dates) }, dates.length)], { columns: ['t'], kinds: { t: 'date' } });
const encode = (tokenizer: Tokenizer, date: number) => tokenizer.encode(records({ t: numbers([date]) }, 1));
const labels = ({ spec, tokenLabel }: Tokenizer) =>
  Array.from({ length: spec.maxTokens }, (_, position) => tokenLabel(position));

describe('a column of dates', () => {
  it('goes round the circles that its span tells of', async () => {
    const start = seconds('2024-03-01T00:00');
    const every = (step: number, count: number) => Array.from({ length: count }, (_, i) => start + step * i);
    const day = 86_400;
    expect(labels(await fitDates(every(600, 20)))).toEqual([
      't',
      't: time of day, sine',
      't: time of day, cosine',
    ]);
    expect(labels(await fitDates(every(day, 10)))).toEqual(['t']);
    expect(labels(await fitDates(every(day, 15)))).toEqual([
      't',
      't: day of week, sine',
      't: day of week, cosine',
    ]);
    expect((await fitDates(every(day, 61))).spec.maxTokens).toBe(5);
    expect((await fitDates(every(day + 60, 61))).spec.maxTokens).toBe(7);
    // The same hour on every day says nothing.
    expect((await fitDates(every(day, 3).map((t) => t + 3600))).spec.maxTokens).toBe(1);
  });

  it('has the time of day, the day of the week and the month on circles', async () => {
    const year = Array.from({ length: 400 }, (_, i) => seconds('2023-01-01T00:00') + i * 90_000);
    const tokenizer = await fitDates(year);
    await fc.assert(
      fc.asyncProperty(fc.date({ noInvalidDate: true }), async (date) => {
        const { values } = encode(tokenizer, date.getTime() / 1000);
        const turns = [
          (date.getTime() / 86_400_000) % 1,
          ((date.getUTCDay() + 6) % 7) / 7,
          date.getUTCMonth() / 12,
        ];
        for (const [i, turn] of turns.entries()) {
          expect(values![1 + 2 * i]).toBeCloseTo(Math.sin(2 * Math.PI * turn), 4);
          expect(values![2 + 2 * i]).toBeCloseTo(Math.cos(2 * Math.PI * turn), 4);
        }
      }),
    );
  });

  it('is decoded to seconds, and missing in all its tokens', async () => {
    const tokenizer = await fitDates([seconds('2024-03-01T10:00'), seconds('2024-03-01T14:00')]);
    const noon = seconds('2024-03-01T12:00');
    const { values } = encode(tokenizer, noon);
    expect(tokenizer.decode!(0, 0, values![0])).toBe(noon);
    expect(tokenizer.decode!(2, 0, values![2])).toBeCloseTo(-1, 6);
    const missing = encode(tokenizer, Number.NaN);
    expect([...missing.ids!]).toEqual([MISSING_ID, MISSING_ID, MISSING_ID]);
    expect([...missing.values!]).toEqual([0, 0, 0]);
    expect(tokenizer.tokenLabel(1, MISSING_ID)).toBe('t: time of day, sine missing');
    const text = records({ t: texts(['soon', null]) }, 2);
    expect(rejections(tokenizer, text)).toEqual(['0 t: "soon" is not a finite number']);
  });
});
