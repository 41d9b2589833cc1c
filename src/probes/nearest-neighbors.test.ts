import { describe, expect, it } from 'vitest';
import type { OutputLayout } from '../scoring/metrics.js';
import { nearestClassMeanProbe } from './nearest-class-mean.js';
import { nearestNeighborsProbe } from './nearest-neighbors.js';

const spec = (layout: OutputLayout) => ({ ...layout, columns: [], classes: [], reason: '' });
const part = (features: readonly number[], dimension: number, labels: readonly number[]) => ({
  count: features.length / dimension,
  dimension,
  features: Float32Array.from(features),
  labels: Float64Array.from(labels),
});

describe('nearestNeighborsProbe', () => {
  const line = part([1, 0, 1, 0.1, 0.1, 1, 0, 1, 1, 0.2], 2, [10, 20, 30, 40, 60]);

  it('averages the neighbours for regression, whatever their length', async () => {
    const layout = { task: 'regression', targets: 1, outputs: 1 } as const;
    const [one, five, ...more] = nearestNeighborsProbe(line, spec(layout));
    expect([one.chosen, five.chosen, more.length]).toEqual([{ neighbors: 1 }, { neighbors: 5 }, 0]);
    expect([...(await one.predict(Float32Array.of(50, 0, 0, 0.01)))]).toEqual([10, 40]);
    expect([...(await five.predict(Float32Array.of(1, 1)))]).toEqual([(10 + 20 + 30 + 40 + 60) / 5]);
  });

  it('lets a closer neighbour outvote the rest a little, and counts only those with the label', async () => {
    const nan = Number.NaN;
    const train = { ...line, labels: Float64Array.of(1, nan, 1, nan, 0, nan, 0, nan, 0, nan) };
    const layout = { task: 'multilabel', targets: 2, outputs: 2 } as const;
    const [one, five] = nearestNeighborsProbe(train, spec(layout));
    const [yes, no] = await one.predict(Float32Array.of(1, 0));
    expect(yes).toBeCloseTo(Math.log(3), 12);
    expect(no).toBeCloseTo(Math.log(0.5 / 5.5), 12);
    const weights = [1, 1 / Math.hypot(1, 0.1), 0.1 / Math.hypot(1, 0.1), 0, 1 / Math.hypot(1, 0.2)].map(
      (similarity) => Math.exp(similarity / 0.07),
    );
    const share = (weights[0] + weights[1]) / weights.reduce((sum, weight) => sum + weight, 0);
    const smoothed = (5 * share + 0.5) / 6;
    expect((await five.predict(Float32Array.of(1, 0)))[0]).toBeCloseTo(
      Math.log(smoothed / (1 - smoothed)),
      5,
    );
  });

  it('gives logits of vote shares per class, none of which is 0', async () => {
    const train = { ...line, labels: Float64Array.of(2, 2, 0, 0, 2) };
    const layout = { task: 'multiclass', targets: 1, outputs: 3 } as const;
    const outputs = await [...nearestNeighborsProbe(train, spec(layout))][1].predict(Float32Array.of(0, 1));
    const shares = outputs.map(Math.exp);
    expect(shares[0]).toBeGreaterThan((5 * 0.99 + 1 / 3) / 6);
    expect(shares[1]).toBeCloseTo(1 / 18, 12);
    expect(shares[0] + shares[1] + shares[2]).toBeCloseTo(1, 12);
  });
});

describe('nearestClassMeanProbe', () => {
  it('divides the line halfway between the means', async () => {
    const train = part([0, 2, 8, 10], 1, [0, 0, 1, 1]);
    const [{ predict }] = nearestClassMeanProbe(train, spec({ task: 'binary', targets: 1, outputs: 1 }));
    const outputs = await predict(Float32Array.of(4.9, 5, 5.1));
    expect(outputs[0]).toBeLessThan(0);
    expect(outputs[1]).toBeCloseTo(0, 6);
    expect(outputs[2]).toBeGreaterThan(0);
  });

  it('prefers the nearest of several means and never one that training lacks', async () => {
    const train = part([0, 0, 10, 0, 0, 10], 2, [0, 1, 3]);
    const layout = { task: 'multiclass', targets: 1, outputs: 4 } as const;
    const [{ predict }] = nearestClassMeanProbe(train, spec(layout));
    const outputs = [...(await predict(Float32Array.of(1, 9)))];
    expect(outputs.indexOf(Math.max(...outputs))).toBe(3);
    expect(outputs[2]).toBe(Number.NEGATIVE_INFINITY);
  });

  it('gives 0 for a label without both answers, and refuses regression', async () => {
    const train = part([1, 2], 1, [1, 1]);
    const [{ predict }] = nearestClassMeanProbe(train, spec({ task: 'binary', targets: 1, outputs: 1 }));
    expect([...(await predict(Float32Array.of(9)))]).toEqual([0]);
    const regression = spec({ task: 'regression', targets: 1, outputs: 1 });
    expect(() => [...nearestClassMeanProbe(train, regression)]).toThrow('needs classes');
  });
});
