import { describe, expect, it } from 'vitest';
import { fitBoostedTrees } from '../numerics/boosted-trees.js';
import type { OutputLayout } from '../scoring/metrics.js';
import { random } from '../tensor/random.js';
import { boostedTrees } from './boosted-trees-probe.js';
import { runProbe } from './protocol.js';
import { represented } from './represented.case.js';

const spec = (layout: OutputLayout) => ({ ...layout, columns: [], classes: [], reason: '' });
const normal = (length: number, seed: number) => {
  const source = random(seed, 'features');
  return Float32Array.from({ length }, () => source.normal());
};
const candidates = (
  features: Float32Array,
  dimension: number,
  labels: readonly number[],
  layout: OutputLayout,
) => [
  ...boostedTrees(
    { count: features.length / dimension, dimension, features, labels: Float64Array.from(labels) },
    spec(layout),
  ),
];
const never = Number.NEGATIVE_INFINITY;

describe('boostedTrees', () => {
  it('is as good at exclusive or as a line is bad', async () => {
    const features = normal(2 * 900, 1);
    const labels = Float64Array.from({ length: 900 }, (_, row) =>
      Number(features[2 * row] > 0 !== features[2 * row + 1] > 0),
    );
    const part = Array.from({ length: 900 }, (_, row) =>
      row < 500 ? 'train' : row < 700 ? 'valid' : 'test',
    );
    const layout = { task: 'binary', targets: 1, outputs: 1 } as const;
    const { test } = await runProbe(
      boostedTrees,
      represented({ features, dimension: 2, labels, part }, spec(layout), 'accuracy'),
    );
    expect(test).toBeGreaterThan(0.9);
  });

  it('cuts one fit to fewer rounds', async () => {
    const x = normal(40 * 2, 2);
    const labels = Array.from({ length: 40 }, (_, row) => x[2 * row] ** 2 + x[2 * row + 1]);
    const all = candidates(x, 2, labels, { task: 'regression', targets: 1, outputs: 1 });
    expect(all.map(({ chosen }) => [chosen.depth, chosen.rounds])).toEqual(
      [4, 6].flatMap((depth) => [50, 100, 200, 400].map((rounds) => [depth, rounds])),
    );
    const data = { features: x, dimension: 2, labels: Float64Array.from(labels) };
    const settings = { learningRate: 0.1, minChildWeight: 1, l2: 1, bins: 256, seed: 0 };
    const alone = fitBoostedTrees(data, 'squared', { ...settings, maxDepth: 4, rounds: 100 });
    expect(await all[1].predict(x)).toEqual(alone.predict(x));
  });

  it('fits each target to the rows that have it', async () => {
    const x = normal(40, 3);
    const labels = Array.from(x, (value, row) => [Math.sign(value), row < 25 ? 5 + value : Number.NaN]);
    const layout = { task: 'regression', targets: 2, outputs: 2 } as const;
    const both = await candidates(x, 1, labels.flat(), layout)[3].predict(x);
    const second = labels.slice(0, 25).map((row) => row[1]);
    const alone = candidates(x.slice(0, 25), 1, second, { ...layout, targets: 1, outputs: 1 });
    expect(both.filter((_, i) => i % 2 === 1)).toEqual(await alone[3].predict(x));
    x.forEach((value, row) => {
      expect(both[2 * row]).toBeCloseTo(Math.sign(value), 1);
    });
  });

  it('says the one class a target has, and 0 without any', async () => {
    const nan = Number.NaN;
    const layout = { task: 'multilabel', targets: 3, outputs: 3 } as const;
    const [first] = candidates(normal(6, 4), 2, [1, 0, nan, 1, nan, nan, 1, 0, nan], layout);
    const [yes, no, unknown] = await first.predict(Float32Array.of(5, -5));
    expect([yes > 0, no < 0, unknown]).toEqual([true, true, 0]);
  });

  it('never predicts a class that training lacks, also with two or one of many left', async () => {
    const x = Float32Array.of(-3, -2, -1, 1, 2, 3);
    const layout = { task: 'multiclass', targets: 1, outputs: 4 } as const;
    const two = candidates(x, 1, [1, 1, 1, 3, 3, 3], layout).at(-1);
    const outputs = (await two?.predict(Float32Array.of(-1, 1))) ?? new Float64Array();
    expect([outputs[0], outputs[2], outputs[4], outputs[6]]).toEqual([never, never, never, never]);
    expect(outputs[1]).toBeGreaterThan(outputs[3]);
    expect(outputs[7]).toBeGreaterThan(outputs[5]);
    const [one] = candidates(x, 1, [2, 2, 2, 2, 2, 2], layout);
    expect([...(await one.predict(Float32Array.of(7)))]).toEqual([never, never, 0, never]);
  });
});
