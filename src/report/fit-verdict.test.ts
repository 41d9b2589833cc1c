import { describe, expect, it } from 'vitest';
import { type Difference, FULL_ENSEMBLE, SIMPLE_ENSEMBLE } from '../fit/select.js';
import { fitVerdict } from './fit-verdict.js';

/** What is said of a choice and of a representation whose differences have this interval. */
const said = (low: number, high: number, test: number, value = 0.1) => {
  const difference = (of: string, against: string): Difference => ({ of, against, value, low, high });
  return fitVerdict({
    chosen: FULL_ENSEMBLE,
    simple: 'linear',
    differences: [difference(FULL_ENSEMBLE, 'linear'), difference(FULL_ENSEMBLE, SIMPLE_ENSEMBLE)],
    metric: 'rmse',
    representationSeconds: 1,
    split: { test },
  });
};

describe('the verdict of a fit', () => {
  it('follows from the interval', () => {
    expect(said(0.05, 0.15, 100)[0]).toMatch(/: better\.$/);
    expect(said(-0.05, 0.15, 100)[0]).toMatch(/: level within chance\.$/);
    expect(said(-0.15, -0.05, 100)[0]).toMatch(/: worse\.$/);
    expect(said(0.05, 0.15, 100)[1]).toContain('The representation added');
    expect(said(-0.15, -0.05, 100)[1]).toContain('The representation cost');
  });

  it('is not given of a handful of test records, whose resamples hardly differ', () => {
    for (const [low, high] of [
      [0.05, 0.15],
      [-0.15, -0.05],
    ]) {
      const [choice, representation] = said(low, high, 12);
      expect(choice).toMatch(/: 12 test records are too few to tell\.$/);
      expect(representation).toContain('added nothing that these test records show');
    }
  });

  it('says that a score which is undefined judges nothing', () => {
    const [choice, representation] = said(Number.NaN, Number.NaN, 100, Number.NaN);
    expect(choice).toMatch(/the best simple model: RMSE of these test records is undefined\.$/);
    expect(representation).toMatch(
      /^The representation cannot be judged, as the RMSE of these test records is undefined\. It took/,
    );
  });
});
