import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learningRateAt } from './schedule.js';

describe('the learning rate', () => {
  it('rises in a line to its peak, then falls along half a cosine', () => {
    expect([0, 1, 2, 3].map((step) => learningRateAt(step, 104, 4, 0.8))).toEqual([
      0.2, 0.4, 0.6000000000000001, 0.8,
    ]);
    expect(learningRateAt(4, 104, 4, 0.8)).toBe(0.8);
    expect(learningRateAt(54, 104, 4, 0.8)).toBeCloseTo(0.4, 12);
    expect(learningRateAt(103, 104, 4, 0.8)).toBeLessThan(0.0003);
    expect(learningRateAt(104, 104, 4, 0.8)).toBe(0);
  });

  it('is above 0 at every step, at most the peak, and never rises after the warm-up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(600), (steps, warmup) => {
        let previous = Infinity;
        for (let step = 0; step < steps; step++) {
          const rate = learningRateAt(step, steps, warmup, 1);
          expect(rate).toBeGreaterThan(0);
          expect(rate).toBeLessThanOrEqual(1);
          if (step >= warmup) expect(rate).toBeLessThanOrEqual(previous);
          previous = rate;
        }
      }),
      { numRuns: 30 },
    );
  });

  it('starts at the peak without warm-up', () => {
    expect(learningRateAt(0, 1, 0, 3)).toBe(3);
  });
});
