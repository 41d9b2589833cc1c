import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import classReference from '../../test/fixtures/class-metrics.json' with { type: 'json' };
import reference from '../../test/fixtures/metrics.json' with { type: 'json' };
import {
  accuracy,
  chooseMetric,
  determination,
  isBetter,
  type MetricName,
  meanAbsoluteError,
  type OutputLayout,
  pearson,
  rocAuc,
  rootMeanSquaredError,
  scoreMetric,
  scoreTargets,
  spearman,
} from './metrics.js';

const missing = (values: readonly (number | null)[]) => values.map((value) => value ?? Number.NaN);

/** Scores have no unit, so their tolerance is absolute. */
function expectClose(ours: number, known: number | null) {
  if (known === null) expect(ours).toBeNaN();
  else expect(Math.abs(ours - known)).toBeLessThanOrEqual(1e-9);
}

/** Errors have the unit of the target, here from 1e-8 to 1e8: 1e-9 absolute would be lax for the one, out of float64's reach for the other. */
function expectCloseRelative(ours: number, known: number | null) {
  if (known === null) expect(ours).toBeNaN();
  else expect(Math.abs(ours - known)).toBeLessThanOrEqual(1e-9 * Math.abs(known));
}

const multilabel = (targets: number): OutputLayout => ({ task: 'multilabel', targets, outputs: targets });

describe('against SciPy and scikit-learn', () => {
  it.each(reference.regression)('regression: $name', (known) => {
    const predicted = missing(known.predicted);
    const truth = missing(known.truth);
    expectCloseRelative(rootMeanSquaredError(predicted, truth), known.rmse);
    expectCloseRelative(meanAbsoluteError(predicted, truth), known.mae);
    expectClose(pearson(predicted, truth), known.pearson);
    expectClose(spearman(predicted, truth), known.spearman);
  });

  it.each(reference.auc)('ROC-AUC: $name', ({ scores, labels, auc }) => {
    expectClose(rocAuc(missing(scores), missing(labels)), auc);
  });

  it.each(reference.meanAuc)('mean ROC-AUC: $name', ({ scores, labels, tasks, mean, perTask }) => {
    const result = scoreTargets('roc-auc', missing(scores), missing(labels), multilabel(tasks));
    expectClose(result.value, mean);
    expect(result.perTarget).toHaveLength(tasks);
    perTask.forEach((auc, task) => {
      expectClose(result.perTarget[task], auc);
    });
    expect(result.skipped).toBe(perTask.filter((auc) => auc === null).length);
  });

  it.each(reference.accuracy)('accuracy: $name', ({ layout, outputs, labels, mean, perTarget }) => {
    const result = scoreTargets('accuracy', missing(outputs), missing(labels), layout as OutputLayout);
    expectClose(result.value, mean);
    perTarget.forEach((share, target) => {
      expectClose(result.perTarget[target], share);
    });
    expect(result.skipped).toBe(perTarget.filter((share) => share === null).length);
  });

  const named = classReference.flatMap(({ task, outputs, labels, width, ...scores }) =>
    Object.entries(scores).map(([metric, known]) => ({ metric, task, outputs, labels, width, known })),
  );
  it.each(named)(
    '$metric of $labels.length records, $task',
    ({ metric, task, outputs, labels, width, known }) => {
      const layout = { task, targets: 1, outputs: width } as OutputLayout;
      expectClose(scoreMetric(metric as MetricName, outputs, labels, layout), known);
      // A record without a label counts nothing, and a prediction that failed is not scored on the rest.
      const more = [...outputs, ...outputs.slice(0, width)];
      expectClose(scoreMetric(metric as MetricName, more, [...labels, Number.NaN], layout), known);
      const failed = outputs.map((output, i) => (i < width ? Number.NaN : output));
      expect(scoreMetric(metric as MetricName, failed, labels, layout)).toBeNaN();
    },
  );
});

describe('solved by hand', () => {
  it('regression', () => {
    expect(rootMeanSquaredError([1, 2, 9], [1, 4, Number.NaN])).toBe(Math.SQRT2);
    expect(meanAbsoluteError([1, 2, 9], [1, 4, Number.NaN])).toBe(1);
    expect(pearson([1, 2, 3], [2, 4, 6])).toBe(1);
    expect(rootMeanSquaredError([1], [Number.NaN])).toBeNaN();
    expect(meanAbsoluteError([], [])).toBeNaN();
  });

  it('Spearman gives ties the mean of their ranks', () => {
    // Ranks 1, 2½, 2½, 4 against 1, 2, 3, 4: 4.5 / √(4.5 · 5).
    expect(spearman([1, 2, 2, 4], [10, 20, 30, 40])).toBe(4.5 / Math.sqrt(22.5));
    expect(spearman([1, 2, 3, 0], [10, 20, 30, Number.NaN])).toBe(1);
  });

  it('a correlation with a constant does not exist', () => {
    for (const correlate of [spearman, pearson]) {
      expect(correlate([0.1, 0.1, 0.1], [1, 2, 3])).toBeNaN();
      expect(correlate([1, 2, 3], [0.1, 0.1, 0.1])).toBeNaN();
      expect(correlate([1], [1])).toBeNaN();
      expect(correlate([], [])).toBeNaN();
    }
  });

  it('R² of a constant does not exist either', () => {
    expect(determination([1, 2, 3], [0.1, 0.1, 0.1])).toBeNaN();
    expect(determination([1, 2, 2], [1, 2, 3])).toBe(0.5);
  });

  it('a correlation of tiny or huge values is that of values of any other size', () => {
    const [x, y] = [
      [1, 2, 0, 5],
      [3, -1, 2, 0],
    ];
    const known = pearson(x, y);
    expect(known).toBeGreaterThan(-0.9);
    const times = (values: readonly number[], scale: number) => values.map((value) => scale * value);
    for (const scale of [1e-90, 1e90])
      expect(pearson(times(x, scale), times(y, scale))).toBeCloseTo(known, 12);
  });

  it('ROC-AUC counts pairs, a tie one half', () => {
    expect(rocAuc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(3 / 4);
    expect(rocAuc([1, 1, 2, 2, 3], [0, 1, 0, 1, 1])).toBe((0.5 + 0 + 1 + 0.5 + 1 + 1) / 6);
    expect(rocAuc([7, 7, 7, 7], [0, 1, 1, 1])).toBe(1 / 2);
    expect(rocAuc([-0, 0], [0, 1])).toBe(1 / 2);
    expect(rocAuc([Number.NEGATIVE_INFINITY, 3, Number.NaN], [0, 1, Number.NaN])).toBe(1);
  });

  it('ROC-AUC of a single class does not exist', () => {
    expect(rocAuc([1, 2, 3], [1, 1, Number.NaN])).toBeNaN();
    expect(rocAuc([1, 2, 3], [0, 0, 0])).toBeNaN();
    expect(rocAuc([], [])).toBeNaN();
    expect(scoreTargets('roc-auc', [1, 2], [1, 1], multilabel(1))).toEqual({
      value: Number.NaN,
      perTarget: [Number.NaN],
      skipped: 1,
    });
  });

  it('accuracy', () => {
    expect(accuracy([0, 1, 2, 2], [0, 1, 1, Number.NaN])).toBe(2 / 3);
    expect(accuracy([1], [Number.NaN])).toBeNaN();
  });

  it('a NaN prediction is never left out', () => {
    for (const metric of [rootMeanSquaredError, meanAbsoluteError, pearson, spearman, rocAuc, accuracy]) {
      expect(metric([0, 1, Number.NaN, 1], [0, 1, 1, 0])).toBeNaN();
    }
  });

  it('refuses labels other than 0 and 1 for ROC-AUC', () => {
    expect(() => rocAuc([1, 2], [1, 2])).toThrow('label 2');
  });
});

const score = fc.integer({ min: -8, max: 8 });
const pairs = <T>(label: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(score, label), { minLength: 2, maxLength: 40 });
const split = <A, B>(rows: readonly (readonly [A, B])[]) =>
  [rows.map(([a]) => a), rows.map(([, b]) => b)] as const;

describe('properties', () => {
  it('a correlation is between −1 and 1, and as good as ±1 for a line', () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 12 });
    const slope = fc.double({ min: 0.1, max: 10, noNaN: true });
    fc.assert(
      fc.property(values, slope, (x, scale) => {
        fc.pre(Math.max(...x) - Math.min(...x) > 1e-3);
        for (const sign of [-1, 1]) {
          const r = pearson(
            x,
            x.map((value) => sign * scale * value),
          );
          expect(r).toBeCloseTo(sign, 12);
          expect(Math.abs(r)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('ROC-AUC equals counting all pairs', () => {
    fc.assert(
      fc.property(pairs(fc.constantFrom(0, 1, Number.NaN)), (rows) => {
        const above = rows.filter(([, label]) => label === 1);
        const below = rows.filter(([, label]) => label === 0);
        let wins = 0;
        for (const [a] of above) for (const [b] of below) wins += a > b ? 1 : a === b ? 0.5 : 0;
        expect(rocAuc(...split(rows))).toBe(wins / (above.length * below.length));
      }),
    );
  });

  it('ROC-AUC sees only the order of the scores, and turns around with labels or scores', () => {
    fc.assert(
      fc.property(pairs(fc.constantFrom(0, 1)), (rows) => {
        const [scores, labels] = split(rows);
        const auc = rocAuc(scores, labels);
        fc.pre(!Number.isNaN(auc));
        expect(rocAuc(scores.map(Math.exp), labels)).toBe(auc);
        const flipped = labels.map((label) => 1 - label);
        expect(rocAuc(scores, flipped)).toBeCloseTo(1 - auc, 12);
        expect(
          rocAuc(
            scores.map((value) => -value),
            flipped,
          ),
        ).toBeCloseTo(auc, 12);
      }),
    );
  });

  it('Spearman is Pearson of ranks: symmetric, unmoved by monotone maps, negated by turning around', () => {
    fc.assert(
      fc.property(pairs(score), (rows) => {
        const [a, b] = split(rows);
        const rho = spearman(a, b);
        fc.pre(!Number.isNaN(rho));
        expect(spearman(b, a)).toBe(rho);
        expect(spearman(a.map(Math.exp), b)).toBe(rho);
        expect(
          spearman(
            a.map((value) => -value),
            b,
          ),
        ).toBeCloseTo(-rho, 12);
        expect(Math.abs(rho)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('Spearman of permutations is 1 − 6 Σ d² / (n³ − n)', () => {
    const ordered = Array.from({ length: 12 }, (_, i) => i);
    const permutation = fc.shuffledSubarray(ordered, { minLength: 12 });
    fc.assert(
      fc.property(permutation, (shuffled) => {
        const squares = shuffled.reduce((sum, value, i) => sum + (value - i) ** 2, 0);
        expect(spearman(shuffled, ordered)).toBeCloseTo(1 - (6 * squares) / (12 ** 3 - 12), 12);
      }),
    );
  });
});

describe('scoreTargets', () => {
  it('reads one logit per class for multiclass, the first of equals winning', () => {
    const outputs = [5, 1, 1, 0, 2, 9, 3, 3, 1];
    const layout = { task: 'multiclass', targets: 1, outputs: 3 } as const;
    expect(scoreMetric('accuracy', outputs, [0, 2, 1], layout)).toBe(2 / 3);
    expect(scoreMetric('accuracy', [Number.NEGATIVE_INFINITY, -3], [1], { ...layout, outputs: 2 })).toBe(1);
    // A model that failed at one record is not scored on the rest, whichever of its logits is none.
    for (let i = 0; i < 9; i++) {
      const failed = outputs.with(i, Number.NaN);
      expect(scoreMetric('accuracy', failed, [0, 2, 1], layout)).toBeNaN();
    }
  });

  it('reads the sign of a logit for binary and multilabel', () => {
    expect(scoreMetric('accuracy', [2, -1, 0], [1, 0, 0], { task: 'binary', targets: 1, outputs: 1 })).toBe(
      1,
    );
    const layout = { task: 'multilabel', targets: 2, outputs: 2 } as const;
    expect(scoreTargets('accuracy', [1, -1, 1, 1], [1, 1, 0, Number.NaN], layout)).toEqual({
      value: 1 / 4,
      perTarget: [1 / 2, 0],
      skipped: 0,
    });
  });

  it('averages regression targets and skips one without labels', () => {
    const layout = { task: 'regression', targets: 3, outputs: 3 } as const;
    const labels = [1, 5, Number.NaN, 2, 5, Number.NaN];
    const result = scoreTargets('rmse', [1, 4, 0, 2, 4, 0], labels, layout);
    expect(result).toEqual({ value: 1 / 2, perTarget: [0, 1, Number.NaN], skipped: 1 });
  });

  it('skips for what the labels lack, never for what the model did', () => {
    const layout = { task: 'regression', targets: 2, outputs: 2 } as const;
    const labels = [1, 1, 2, 2, 3, 3];
    expect(scoreTargets('spearman', [1, 7, 2, 7, 3, 7], labels, layout)).toMatchObject({
      value: Number.NaN,
      skipped: 0,
    });
    expect(scoreTargets('spearman', [1, 7, 2, 8, 3, 9], [1, 4, 2, 4, 3, 4], layout)).toMatchObject({
      value: 1,
      skipped: 1,
    });
  });

  it('refuses outputs of another size and metrics of another task', () => {
    const layout = { task: 'binary', targets: 1, outputs: 1 } as const;
    expect(() => scoreMetric('roc-auc', [1, 2, 3], [0, 1], layout)).toThrow('[2, 1], got 3');
    expect(() => scoreMetric('rmse', [1, 2], [0, 1], layout)).toThrow('rmse does not fit a binary task');
  });
});

describe('choosing', () => {
  it('takes the usual metric or the one asked for', () => {
    expect(chooseMetric('regression')).toBe('rmse');
    expect(chooseMetric('multilabel')).toBe('roc-auc');
    expect(chooseMetric('regression', 'spearman')).toBe('spearman');
  });

  it('says which metrics fit', () => {
    expect(() => chooseMetric('multiclass', 'roc-auc')).toThrow(
      'metric roc-auc does not fit a multiclass task: expected one of accuracy, f1, mcc, log-loss, calibration-error',
    );
    expect(() => chooseMetric('binary', 'f2')).toThrow(
      'unknown metric f2: expected one of roc-auc, accuracy, pr-auc, f1, mcc, log-loss, calibration-error',
    );
    expect(() => chooseMetric('binary', 'toString')).toThrow('unknown metric');
  });

  it('knows which way is up, and that NaN is down', () => {
    expect(isBetter('rmse', 1, 2)).toBe(true);
    expect(isBetter('rmse', 2, 1)).toBe(false);
    expect(isBetter('rmse', 2, 2)).toBe(false);
    expect(isBetter('spearman', 1, 2)).toBe(false);
    expect(isBetter('spearman', 2, 1)).toBe(true);
    expect(isBetter('accuracy', 0.5, 0.5)).toBe(false);
    expect(isBetter('accuracy', 0, Number.NaN)).toBe(true);
    expect(isBetter('accuracy', Number.NaN, 0)).toBe(false);
    expect(isBetter('accuracy', Number.NaN, Number.NaN)).toBe(false);
  });
});
