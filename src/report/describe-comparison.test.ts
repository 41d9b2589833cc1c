import { describe, expect, it } from 'vitest';
import { LacunaError } from '../errors.js';
import { describeComparison } from './describe-comparison.js';

const scores = (method: string, ...perSeed: number[]) => ({ method, metric: 'ROC-AUC', perSeed });

describe('describeComparison', () => {
  it('claims nothing when the interval of the difference includes zero', () => {
    // Differences 0.01, −0.01, 0.03: mean 0.01, sd 0.02, half width 4.303 · 0.02 / √3 = 0.0497.
    const text = describeComparison([
      scores('SMA', 0.71, 0.7, 0.74),
      scores('random masking', 0.7, 0.71, 0.71),
    ]);
    expect(text).toBe(
      'SMA − random masking: +0.010 ROC-AUC (95% interval −0.040 to +0.060, 3 seeds). The interval includes zero: no difference is shown at this size.',
    );
  });

  it('names the better method when the interval excludes zero, whichever it is', () => {
    // Differences ±(0.05, 0.06, 0.07): half width 4.303 · 0.01 / √3 = 0.0248. Seeds vary far more than that: pairing matters.
    const good = scores('a', 0.65, 0.76, 0.87);
    const poor = scores('b', 0.6, 0.7, 0.8);
    expect(describeComparison([good, poor])).toBe(
      'a − b: +0.060 ROC-AUC (95% interval +0.035 to +0.085, 3 seeds). The interval excludes zero: a is better here.',
    );
    expect(describeComparison([poor, good])).toBe(
      'b − a: −0.060 ROC-AUC (95% interval −0.085 to −0.035, 3 seeds). The interval excludes zero: a is better here.',
    );
  });

  it('turns round for errors, where lower is better', () => {
    const text = describeComparison([scores('a', 0.65, 0.76, 0.87), scores('b', 0.6, 0.7, 0.8)], {
      higherIsBetter: false,
    });
    expect(text).toMatch(/b is better here\.$/);
  });

  it('calls one seed no evidence, and equal scores no difference', () => {
    expect(describeComparison([scores('a', 0.9), scores('b', 0.5)])).toBe(
      'a − b: +0.400 ROC-AUC, one seed. One seed gives no interval: nothing is shown either way.',
    );
    expect(describeComparison([scores('a', 0.5, 0.6), scores('b', 0.5, 0.6)])).toMatch(
      /no difference is shown/,
    );
  });

  it('compares every pair, within one metric only', () => {
    const text = describeComparison([
      scores('a', 0.5, 0.6),
      scores('b', 0.5, 0.6),
      { method: 'a', metric: 'accuracy', perSeed: [1, 1] },
      scores('c', 0.5, 0.6),
    ]);
    expect(text.split('\n').map((line) => line.slice(0, line.indexOf(':')))).toEqual([
      'a − b',
      'a − c',
      'b − c',
    ]);
    expect(describeComparison([scores('a', 0.5)])).toBe('');
  });

  it('refuses scores that cannot be paired', () => {
    expect(() => describeComparison([scores('a', 0.5, 0.6), scores('b', 0.5)])).toThrow(LacunaError);
    expect(() => describeComparison([scores('a', 0.5, Number.NaN), scores('b', 0.5, 0.6)])).toThrow(
      /seed number 2 has NaN/,
    );
  });
});
