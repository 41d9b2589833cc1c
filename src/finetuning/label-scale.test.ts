import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LabelScale, labelScale, labelScaleSchema, scaleLabel, unscaleLabel } from './label-scale.js';

const regression = (targets: number) => ({
  task: 'regression' as const,
  targets,
  columns: Array.from({ length: targets }, (_, target) => `y${target}`),
});

/** Labels two float32 steps apart at least, so that none of them falls on its neighbour. */
const positive = fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 300 });
const learned = (scale: LabelScale, labels: readonly number[]) =>
  labels.map((label) => scaleLabel(scale, 0, label));

describe('labelScale', () => {
  it.each(['standardize', 'quantile', 'log'] as const)(
    '%s: its inverse gives the labels back',
    (transform) => {
      fc.assert(
        fc.property(positive, (integers) => {
          const labels = integers.map((value) => value / 1000);
          const scale = labelScale(regression(1), Float64Array.from(labels), transform);
          const saved = labelScaleSchema.parse(JSON.parse(JSON.stringify(scale)));
          expect(saved).toEqual(scale);
          for (const [i, value] of learned(saved, labels).entries())
            expect(Math.abs(unscaleLabel(saved, 0, value) / labels[i] - 1)).toBeLessThan(1e-9);
        }),
      );
    },
  );

  it.each(['standardize', 'quantile', 'log'] as const)(
    '%s: increases strictly, and so does its inverse',
    (transform) => {
      fc.assert(
        fc.property(positive, (integers) => {
          const labels = [...new Set(integers)].sort((a, b) => a - b);
          const scale = labelScale(regression(1), Float64Array.from(integers), transform);
          const values = learned(scale, labels);
          for (let i = 1; i < values.length; i++) expect(values[i]).toBeGreaterThan(values[i - 1]);
          const back = [-9, -1, -0.3, 0, 0.2, 1, 9].map((value) => unscaleLabel(scale, 0, value));
          for (let i = 1; i < back.length; i++) expect(back[i]).toBeGreaterThanOrEqual(back[i - 1]);
        }),
      );
    },
  );

  it('quantile: gives normal scores by mean ranks, the same for equal labels, and stays inside the labels', () => {
    const scale = labelScale(regression(1), Float64Array.of(100, 7, 7, 1000), 'quantile');
    expect(scale.quantiles![0].labels).toEqual([7, 100, 1000]);
    // Φ⁻¹ of 2/8, 5/8 and 7/8, by SciPy.
    [-0.6744897501960817, 0.31863936396437514, 1.1503493803760079].forEach((score, i) => {
      expect(scale.quantiles![0].scores[i]).toBeCloseTo(score, 12);
    });
    expect([-50, 50].map((value) => unscaleLabel(scale, 0, value))).toEqual([7, 1000]);
    expect(unscaleLabel(scale, 0, (0.31863936396437514 + 1.1503493803760079) / 2)).toBeCloseTo(550, 9);
  });

  it('quantile: keeps at most 1,000 knots of many labels, and still inverts at each of them', () => {
    const labels = Float64Array.from({ length: 5000 }, (_, i) => i ** 2);
    const scale = labelScale(regression(1), labels, 'quantile');
    expect(scale.quantiles![0].labels.length).toBe(1000);
    expect([scale.quantiles![0].labels[0], scale.quantiles![0].labels[999]]).toEqual([0, 4999 ** 2]);
    for (const label of labels)
      expect(Math.abs(unscaleLabel(scale, 0, scaleLabel(scale, 0, label)) - label)).toBeLessThanOrEqual(1e-5);
  });

  it('has a scale for each target, and leaves out what is missing', () => {
    const labels = Float64Array.of(1, 10, Number.NaN, 30, 3, Number.NaN);
    expect(labelScale(regression(2), labels)).toEqual({ mean: [2, 20], deviation: [1, 10] });
    const { quantiles } = labelScale(regression(2), labels, 'quantile');
    expect(quantiles!.map((knots) => knots.labels)).toEqual([
      [1, 3],
      [10, 30],
    ]);
    const { mean, log } = labelScale(regression(2), labels, 'log');
    expect([log, mean[0]]).toEqual([true, Math.log(3) / 2]);
  });

  it('leaves the labels of other tasks alone', () => {
    const spec = { ...regression(2), task: 'multilabel' as const };
    expect(labelScale(spec, Float64Array.of(0, 1), 'log')).toEqual({ mean: [0, 0], deviation: [1, 1] });
  });

  it('refuses the logarithm of labels that have none', () => {
    expect(() => labelScale(regression(2), Float64Array.of(1, 5, 2, 0), 'log')).toThrow(
      'target column y1: --target-transform log needs labels above 0, got 0; try --target-transform quantile',
    );
  });
});
