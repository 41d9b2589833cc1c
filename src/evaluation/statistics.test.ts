import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from './fixtures/reference.json' with { type: 'json' };
import { bootstrapDifference, studentT, summarize } from './statistics.js';

describe('studentT', () => {
  it.each(reference.t)('agrees with SciPy at %d degrees of freedom', (degrees, quantile) => {
    expect(Math.abs(studentT(0.95, degrees) / quantile - 1)).toBeLessThan(1e-10);
  });
});

describe('summarize', () => {
  it('gives the Student-t interval SciPy gives', () => {
    const { values, bounds } = reference.interval;
    const interval = summarize(values);
    expect(interval.low).toBeCloseTo(bounds[0], 12);
    expect(interval.high).toBeCloseTo(bounds[1], 12);
  });

  it('is solved by hand for two values: 1 ± 12.706 · √2 / √2', () => {
    const { mean, sd, low, n } = summarize([0, 2]);
    expect([mean, n]).toEqual([1, 2]);
    expect(sd).toBeCloseTo(Math.SQRT2, 12);
    expect(low).toBeCloseTo(1 - 12.7062047, 6);
  });

  it('knows no spread of one value, and nothing of none', () => {
    expect(summarize([3])).toEqual({ mean: 3, sd: Number.NaN, low: Number.NaN, high: Number.NaN, n: 1 });
    expect(summarize([]).mean).toBeNaN();
  });

  it('shows a failed seed instead of averaging around it', () => {
    expect(summarize([1, Number.NaN, 2]).mean).toBeNaN();
  });
});

describe('bootstrapDifference', () => {
  it('finds the percentiles of the exact resampling distribution', () => {
    // Differences 1, 0, 0, 0, 0: five times the mean is binomial(5, 1/5), whose 2.5 % and 97.5 % points are 0 and 3.
    expect(bootstrapDifference([5, 1, 1, 1, 1], [4, 1, 1, 1, 1], { seed: 3 })).toEqual({
      mean: 1 / 5,
      low: 0,
      high: 3 / 5,
    });
  });

  it('turns around when a and b change places, and is drawn from the seed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ max: 99, min: 0 }), fc.integer({ max: 99, min: 0 })), {
          minLength: 2,
          maxLength: 9,
        }),
        fc.integer(),
        (pairs, seed) => {
          const a = pairs.map(([left]) => left);
          const b = pairs.map(([, right]) => right);
          const options = { resamples: 200, seed };
          const ab = bootstrapDifference(a, b, options);
          expect(bootstrapDifference(a, b, options)).toEqual(ab);
          const ba = bootstrapDifference(b, a, options);
          expect(ba.low).toBeCloseTo(-ab.high, 9);
          expect(ab.low).toBeLessThanOrEqual(ab.high);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('has no interval for one pair and refuses unpaired values', () => {
    expect(bootstrapDifference([2], [1])).toEqual({ mean: 1, low: Number.NaN, high: Number.NaN });
    expect(() => bootstrapDifference([1, 2], [1])).toThrow('2 values against 1');
  });
});
