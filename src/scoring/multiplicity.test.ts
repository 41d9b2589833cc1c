import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benjaminiHochberg, bootstrapProbability, holm } from './multiplicity.js';

/** Five p-values, adjusted by hand below. */
const raw = [0.01, 0.04, 0.03, 0.005, 0.5];

describe('adjusted p-values', () => {
  it('are those of the definitions', () => {
    const expectAll = (found: number[], known: number[]) =>
      found.forEach((value, i) => {
        expect(value).toBeCloseTo(known[i], 12);
      });
    expectAll(holm(raw), [0.04, 0.09, 0.09, 0.025, 0.5]);
    expectAll(benjaminiHochberg(raw), [0.025, 0.05, 0.05, 0.025, 0.5]);
  });

  it('leave out what has none', () => {
    const among = raw.flatMap((value) => [value, Number.NaN]);
    for (const adjust of [holm, benjaminiHochberg]) {
      const found = adjust(among);
      expect(found.filter((_, i) => i % 2 === 0)).toEqual(adjust(raw));
      expect(found.filter((_, i) => i % 2 === 1).every(Number.isNaN)).toBe(true);
    }
  });

  it('are never smaller, keep the order, and Holm is the stricter', () => {
    const probabilities = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(probabilities, (values) => {
        const [strict, lax] = [holm(values), benjaminiHochberg(values)];
        values.forEach((value, i) => {
          expect(lax[i]).toBeGreaterThanOrEqual(value);
          expect(strict[i]).toBeGreaterThanOrEqual(lax[i] - 1e-12);
          expect(strict[i]).toBeLessThanOrEqual(1);
          values.forEach((other, j) => {
            if (value < other) expect(strict[i]).toBeLessThanOrEqual(strict[j]);
          });
        });
      }),
    );
  });
});

describe('the p-value of a difference', () => {
  it('is that of a normal with the deviation of the bootstrap replicates, however small', () => {
    // Of deviation 1 with n − 1.
    const replicates = [-1, 0, 1].map((value) => value + 5);
    for (const [difference, probability] of [
      [1.959963984540054, 0.05],
      [-2.575829303548901, 0.01],
      [5, 5.733031437583878e-7],
    ])
      expect(bootstrapProbability(difference, [...replicates, Number.NaN])).toBeCloseTo(probability, 12);
    expect(bootstrapProbability(0, [0, 0, 0])).toBe(1);
    expect(bootstrapProbability(1, [1])).toBeNaN();
  });
});
