import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { comparisonSpec, learningCurvesSpec, perTaskSpec, renderChart, smoothLosses } from './charts.js';

const score = (method: string, mean: number, half: number) => ({
  method,
  perSeed: [mean - half / 2, mean + half / 2],
  mean,
  low: mean - half,
  high: mean + half,
});

const count = (text: string, part: string) => text.split(part).length - 1;

describe('smoothLosses', () => {
  it('keeps a constant, starts at the first loss and weighs a loss one half-life old by half', () => {
    expect(smoothLosses([2, 2, 2], 5)).toEqual([2, 2, 2]);
    expect(smoothLosses([], 5)).toEqual([]);
    // Half-life 1: weights 1/4, 1/2, 1 of the last three losses.
    expect(smoothLosses([4, 2, 1], 1)[2]).toBeCloseTo((4 / 4 + 2 / 2 + 1) / (1 / 4 + 1 / 2 + 1), 12);
  });

  it('stays between the least and the largest loss so far', () => {
    const loss = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(loss, { minLength: 1 }),
        fc.double({ min: 0.5, max: 50, noNaN: true }),
        (losses, halfLife) => {
          for (const [i, smooth] of smoothLosses(losses, halfLife).entries()) {
            const seen = losses.slice(0, i + 1);
            expect(smooth).toBeGreaterThanOrEqual(Math.min(...seen) - 1e-9);
            expect(smooth).toBeLessThanOrEqual(Math.max(...seen) + 1e-9);
          }
        },
      ),
    );
  });
});

describe('charts', () => {
  // Vega-Lite reports a specification it had to mend, or a domain without data, on the console.
  beforeEach(() => void vi.spyOn(console, 'warn'));
  afterEach(() => {
    expect(console.warn).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  const points = Array.from({ length: 1000 }, (_, i) => ({
    step: i + 1,
    loss: i === 3 ? null : 1 + 1 / (i + 1),
    val_loss: i % 100 === 99 ? 1.5 : null,
  }));

  it('draw learning curves, thinned, with the marginal named once where runs share it', async () => {
    const shared = [
      { name: 'SMA', points, marginal: 2.3101 },
      { name: 'random masking', points, marginal: 2.3099 },
    ];
    const svg = await renderChart(learningCurvesSpec(shared));
    expect(svg).toContain('predicting the training marginal: 2.31<');
    expect(svg.length).toBeLessThan(60_000);
    const apart = await renderChart(learningCurvesSpec([shared[0]!, { ...shared[1]!, marginal: 2.2 }]));
    expect(apart).toContain('predicting the training marginal: SMA 2.31, random masking 2.20<');
  });

  it('draw a run that logged nothing yet, or no finite loss', async () => {
    const empty = { name: 'SMA', points: [], marginal: Number.NaN };
    expect(await renderChart(learningCurvesSpec([empty]))).toContain('<svg');
    const infinite = { name: 'SMA', points: [{ step: 1, loss: Number.NaN, val_loss: null }], marginal: 2 };
    expect(await renderChart(learningCurvesSpec([infinite]))).toContain('<svg');
  });

  it('draw a comparison: a dot and an interval per method, a faint dot per seed', async () => {
    const svg = await renderChart(
      comparisonSpec([score('SMA', 0.74, 0.02), score('none', 0.7, 0.01)], 'ROC-AUC'),
    );
    expect(count(svg, 'aria-roledescription="circle"')).toBe(4 + 2);
    expect(count(svg, 'aria-roledescription="rule mark"')).toBe(2);
  });

  it('draw one seed without an interval, and leave out a score that is not a number', async () => {
    const single = { method: 'SMA', perSeed: [0.7], mean: 0.7, low: Number.NaN, high: Number.NaN };
    const failed = {
      method: 'none',
      perSeed: [Number.NaN],
      mean: Number.NaN,
      low: Number.NaN,
      high: Number.NaN,
    };
    const svg = await renderChart(comparisonSpec([single, failed], 'ROC-AUC'));
    expect(svg).not.toContain('NaN');
    expect(count(svg, 'aria-roledescription="rule mark"')).toBe(0);
  });

  it('draw bars from zero for each task and method, and the line of guessing', async () => {
    const scores = ['mutagenic', 'irritant'].flatMap((task) => [
      { ...score('SMA', 0.74, 0.02), task },
      { ...score('none', 0.7, 0.01), task },
    ]);
    const svg = await renderChart(perTaskSpec(scores, 'ROC-AUC', 0.5));
    expect(count(svg, 'aria-roledescription="bar"')).toBe(4);
    expect(svg).toContain('>0.0<');
  });

  it('escape names, fetch nothing and use no identifiers that two charts on one page could share', async () => {
    const svg = await renderChart(comparisonSpec([score('<b>&"', 0.74, 0.02)], '<i>'));
    expect(svg).toContain('&lt;b&gt;&amp;');
    expect(svg).not.toMatch(/<b>|<i>/);
    expect(svg).not.toMatch(/ id="|href=|url\(/);
  });
});
