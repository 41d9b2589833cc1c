import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from '../../test/fixtures/metrics.json' with { type: 'json' };
import { normalQuantile, studentT, summarize } from './statistics.js';

describe('studentT', () => {
  it.each(reference.studentT)(
    'agrees with SciPy at confidence %d and %d degrees of freedom',
    (confidence, degrees, quantile) => {
      expect(Math.abs(studentT(confidence, degrees) / quantile - 1)).toBeLessThanOrEqual(1e-9);
    },
  );
});

describe('normalQuantile', () => {
  // Computed by Python's statistics.NormalDist().inv_cdf.
  it.each([
    [0.5, 0],
    [0.3, -0.5244005127080407],
    [0.02425, -1.9729610513118845],
    [0.001, -3.090232306167813],
    [1e-10, -6.361340902404056],
    [0.975, 1.9599639845400536],
  ])('of %d is %d', (probability, quantile) => {
    expect(Math.abs(normalQuantile(probability) - quantile)).toBeLessThanOrEqual(1e-12);
  });
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

describe('an interval of a score with bounds', () => {
  it('is the plain one wherever that stays inside them', () => {
    const values = [0.71, 0.74, 0.69];
    expect(summarize(values, [0, 1])).toEqual(summarize(values));
  });

  it('is solved by hand on the scale of the logit: 0.9 ± 0.4, where 0.4 / (0.9 · 0.1) is the half width there', () => {
    // Two values: t is 12.706, the standard error is 0.4 / t, so they lie 0.4 / t from their mean.
    const step = 0.4 / studentT(0.95, 1);
    const { mean, low, high, n } = summarize([0.9 - step, 0.9 + step], [0, 1]);
    const logit = Math.log(9);
    expect([mean, n]).toEqual([0.9, 2]);
    expect(low).toBeCloseTo(1 / (1 + Math.exp(-(logit - 0.4 / 0.09))), 12);
    expect(high).toBeCloseTo(1 / (1 + Math.exp(-(logit + 0.4 / 0.09))), 12);
  });

  it("is Fisher's for correlations, and a factor for errors", () => {
    const around = (mean: number, half: number) => {
      const step = half / studentT(0.95, 1);
      return [mean - step, mean + step];
    };
    const correlation = summarize(around(0.8, 0.5), [-1, 1]);
    expect(correlation.low).toBeCloseTo(Math.tanh(Math.atanh(0.8) - 0.5 / 0.36), 10);
    expect(correlation.high).toBeCloseTo(Math.tanh(Math.atanh(0.8) + 0.5 / 0.36), 10);
    const error = summarize(around(1.5, 2), [0, Number.POSITIVE_INFINITY]);
    expect([error.low, error.high].map((value) => Math.log(value / 1.5))).toEqual([
      expect.closeTo(-4 / 3, 10),
      expect.closeTo(4 / 3, 10),
    ]);
  });

  it('never leaves the bounds and always holds the mean', () => {
    for (const [low, high] of [
      [0, 1],
      [-1, 1],
      [0, Number.POSITIVE_INFINITY],
    ] as const) {
      const within = fc.double({ min: low, max: Math.min(high, 1e6), noNaN: true });
      fc.assert(
        fc.property(fc.array(within, { minLength: 2, maxLength: 6 }), (values) => {
          const { mean, ...interval } = summarize(values, [low, high]);
          expect(interval.low).toBeGreaterThanOrEqual(low);
          expect(interval.high).toBeLessThanOrEqual(high);
          expect(interval.low).toBeLessThanOrEqual(mean * (1 + 1e-12) + 1e-12);
          expect(interval.high).toBeGreaterThanOrEqual(mean * (1 - 1e-12) - 1e-12);
        }),
      );
    }
  });

  it('of equal values is a point, also at a bound', () => {
    expect(summarize([1, 1, 1], [0, 1])).toMatchObject({ mean: 1, sd: 0, low: 1, high: 1 });
  });
});
