import { describe, expect, it } from 'vitest';
import { scoreMetric } from '../scoring/metrics.js';
import { random } from '../tensor/random.js';
import { greedyEnsemble, meanPrediction } from './ensemble.js';

const layoutOf = (task: 'regression' | 'binary' | 'multiclass', outputs = 1) => ({
  task,
  targets: 1,
  outputs,
});

const logit = (p: number) => Math.log(p / (1 - p));

describe('the mean of predictions', () => {
  it('is of values, by their weights', () => {
    const mean = meanPrediction(
      [Float64Array.of(1, 2), Float64Array.of(5, 4)],
      layoutOf('regression'),
      [3, 1],
    );
    expect([...mean]).toEqual([2, 2.5]);
  });

  it('is of probabilities, not of logits', () => {
    const [mean] = meanPrediction(
      [Float64Array.of(logit(0.9)), Float64Array.of(logit(0.2))],
      layoutOf('binary'),
    );
    expect(mean).toBeCloseTo(logit(0.55), 10);
    const classes = [Float64Array.of(0.7, 0.2, 0.1), Float64Array.of(0.1, 0.2, 0.7)].map((p) =>
      p.map(Math.log),
    );
    const shares = meanPrediction(classes, layoutOf('multiclass', 3)).map(Math.exp);
    [0.4, 0.2, 0.4].forEach((share, i) => {
      expect(shares[i]).toBeCloseTo(share, 12);
    });
  });

  it('keeps a class that one model never predicts', () => {
    const never = Float64Array.of(0, Number.NEGATIVE_INFINITY);
    const shares = meanPrediction([never, Float64Array.of(0, 0)], layoutOf('multiclass', 2)).map(Math.exp);
    expect(shares[1]).toBeCloseTo(0.25, 12);
  });
});

describe('greedy selection', () => {
  const { normal } = random(3, 'ensemble');
  const truth = Float64Array.from({ length: 400 }, normal);
  const noisy = (scale: number) => truth.map((value) => value + scale * normal());

  it('weighs models of independent errors, and is better than each', () => {
    const models = [noisy(1), noisy(1), noisy(1.1), noisy(8)];
    const weights = greedyEnsemble(models, truth, layoutOf('regression'), 'rmse');
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    expect(weights[3]).toBeLessThan(0.05);
    const score = (outputs: Float64Array) => scoreMetric('rmse', outputs, truth, layoutOf('regression'));
    const joined = score(meanPrediction(models, layoutOf('regression'), weights));
    for (const model of models) expect(joined).toBeLessThan(score(model));
    // Three errors of one size leave 1/√3 of it.
    expect(joined).toBeLessThan(0.65);
  });

  it('gives a weak model the small weight that it earns beside a strong one', () => {
    const [strong, weak] = [noisy(0.5), noisy(2)];
    const [, weight] = greedyEnsemble([strong, weak], truth, layoutOf('regression'), 'rmse');
    // The best weight of independent errors is by the inverse of their variances: 1 : 16.
    expect(weight).toBeGreaterThan(0.02);
    expect(weight).toBeLessThan(0.12);
  });

  it('takes the best alone where others only add errors, and the first of equals', () => {
    const perfect = truth.slice();
    expect(
      greedyEnsemble([noisy(1), perfect, perfect.slice()], truth, layoutOf('regression'), 'rmse'),
    ).toEqual([0, 1, 0]);
  });

  it('is the first model where no score is defined', () => {
    const constant = truth.map(() => 1);
    const weights = greedyEnsemble([constant, constant], truth, layoutOf('regression'), 'spearman');
    expect(weights).toEqual([1, 0]);
  });

  it('does not choose a model whose predictions failed', () => {
    const failed = truth.map((value, i) => (i === 7 ? Number.NaN : value));
    expect(greedyEnsemble([failed, noisy(1)], truth, layoutOf('regression'), 'rmse')).toEqual([0, 1]);
  });
});
