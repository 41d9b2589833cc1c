import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from '../../test/fixtures/metrics.json' with { type: 'json' };
import { bootstrapDifference, studentT, summarize } from './statistics.js';

describe('studentT', () => {
  it.each(reference.studentT)(
    'agrees with SciPy at confidence %d and %d degrees of freedom',
    (confidence, degrees, quantile) => {
      expect(Math.abs(studentT(confidence, degrees) / quantile - 1)).toBeLessThanOrEqual(1e-9);
    },
  );
});

describe('summarize', () => {
  it.each(reference.interval)('agrees with SciPy, case %#', ({ values, mean, sd, low, high }) => {
    const ours = summarize(values);
    // 1e-9, of the values themselves where they are small; near 1e8 float64 keeps no more than `rounding`.
    const size = Math.max(...values.map(Math.abs));
    const rounding = 4 * Number.EPSILON * size;
    const tolerance = Math.max(1e-9 * Math.min(1, size), rounding);
    for (const [value, known] of [
      [ours.mean, mean],
      [ours.sd, sd],
      [ours.low, low],
      [ours.high, high],
    ]) {
      expect(Math.abs(value - known)).toBeLessThanOrEqual(tolerance);
    }
    expect(ours.n).toBe(values.length);
  });

  it('is solved by hand for two values: 1 ± 12.706 · √2 / √2', () => {
    const { mean, sd, low, n } = summarize([0, 2]);
    expect([mean, n]).toEqual([1, 2]);
    expect(sd).toBeCloseTo(Math.SQRT2, 12);
    expect(low).toBeCloseTo(1 - 12.7062047, 6);
  });

  it('knows no spread of one value, and nothing of none', () => {
    expect(summarize([3])).toEqual({ mean: 3, sd: Number.NaN, low: Number.NaN, high: Number.NaN, n: 1 });
    expect(summarize([])).toEqual({ ...summarize([3]), mean: Number.NaN, n: 0 });
  });

  it('shows a failed seed instead of averaging around it', () => {
    expect(summarize([1, Number.NaN, 2]).mean).toBeNaN();
  });
});

describe('bootstrapDifference', () => {
  it.each(reference.bootstrap)(
    'agrees with SciPy within Monte-Carlo error: $name',
    ({ a, b, mean, low, high }) => {
      const ours = bootstrapDifference(a, b, { resamples: reference.resamples, seed: 1 });
      expect(Math.abs(ours.mean - mean)).toBeLessThanOrEqual(1e-9);
      // The bands are five standard errors wide to each side; the slack is for sums in another order.
      for (const [bound, [from, to]] of [
        [ours.low, low],
        [ours.high, high],
      ] as const) {
        expect(bound).toBeGreaterThanOrEqual(from - 1e-9);
        expect(bound).toBeLessThanOrEqual(to + 1e-9);
      }
    },
  );

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

  it('has the mean of the only resample as both ends of its interval', () => {
    const { low, high } = bootstrapDifference([3, 5, 8], [1, 1, 1], { resamples: 1 });
    expect(low).toBe(high);
    expect(low).toBeGreaterThanOrEqual(2);
    expect(low).toBeLessThanOrEqual(7);
  });

  it('has no interval for one pair and refuses unpaired values', () => {
    expect(bootstrapDifference([2], [1])).toEqual({ mean: 1, low: Number.NaN, high: Number.NaN });
    expect(() => bootstrapDifference([1, 2], [1])).toThrow('2 values against 1');
  });
});
