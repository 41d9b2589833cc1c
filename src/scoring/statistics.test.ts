import { describe, expect, it } from 'vitest';
import reference from '../../test/fixtures/metrics.json' with { type: 'json' };
import { studentT, summarize } from './statistics.js';

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
