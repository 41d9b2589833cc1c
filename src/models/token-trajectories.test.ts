import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { halfLearned, trendOf } from './token-trajectories.js';

describe('trendOf', () => {
  it('is that of a line', () => {
    expect(trendOf([5, 4, 3, 2])).toBe('falls');
    expect(trendOf([1, 1.1, 1.2, 1.3])).toBe('rises');
    expect(trendOf([2, 2, 2, 2])).toBe('still');
  });

  it('is that which a t-test of the slope tells at 5 %', () => {
    // x = 0 … 5: slope 0.4, residual squares 2.8, t = 0.4 / √(2.8 / 4 / 17.5) = 2, and t of 4 degrees of freedom is 2.776.
    const errors = [0, 1.2, 0, 1.6, 0.8, 2.4];
    const n = errors.length;
    const mean = errors.reduce((sum, error) => sum + error, 0) / n;
    const slope = errors.reduce((sum, error, x) => sum + (x - 2.5) * error, 0) / 17.5;
    const residual = errors.reduce((sum, error, x) => sum + (error - mean - slope * (x - 2.5)) ** 2, 0);
    const t = slope / Math.sqrt(residual / (n - 2) / 17.5);
    expect(trendOf(errors)).toBe(Math.abs(t) > 2.776 ? 'rises' : 'still');
    const steeper = errors.map((error, x) => error + (x * (2.8 - t) * slope) / t);
    expect(trendOf(errors.map((error, x) => error + (x * (2.7 - t) * slope) / t))).toBe('still');
    expect(trendOf(steeper)).toBe('rises');
    expect(trendOf(steeper.map((error) => -error))).toBe('falls');
  });

  it('finds a rise in 2.5 % of what is only noise', () => {
    const source = random(1, 'trends');
    const counts = { falls: 0, still: 0, rises: 0 };
    for (let i = 0; i < 4000; i++) counts[trendOf(Array.from({ length: 10 }, () => source.normal()))]++;
    expect(counts.rises / 4000).toBeCloseTo(0.025, 2);
    expect(counts.falls / 4000).toBeCloseTo(0.025, 2);
  });
});

describe('halfLearned', () => {
  it('is the first place nearer to the lowest error than to the first', () => {
    expect(halfLearned([4, 3.5, 2.9, 1, 2])).toBe(3);
    expect(halfLearned([4, 2.5, 1])).toBe(1);
    expect(halfLearned([1, 2, 3])).toBe(0);
  });
});
