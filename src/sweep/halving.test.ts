import { describe, expect, it } from 'vitest';
import { rungSizes, rungSteps } from './halving.js';

describe('successive halving', () => {
  it('gives a part of the trials as many times the steps, until one has them all', () => {
    expect(rungSteps(9, { steps: 900, reduction: 3 })).toEqual([100, 300, 900]);
    expect(rungSizes(9, 3, 3)).toEqual([9, 3, 1]);
    expect(rungSteps(20, { steps: 1000, reduction: 2 })).toEqual([63, 125, 250, 500, 1000]);
    expect(rungSizes(20, 5, 2)).toEqual([20, 10, 5, 2, 1]);
  });

  it('has one round where there are few trials, and none of no step', () => {
    expect(rungSteps(2, { steps: 100, reduction: 3 })).toEqual([100]);
    expect(rungSteps(1000, { steps: 4, reduction: 2 })).toEqual([1, 2, 4]);
  });
});
