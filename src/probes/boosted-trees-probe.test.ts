import { describe, expect, it } from 'vitest';
import { roundsOf } from '../numerics/boosted-trees.js';
import { packData, unpackData } from '../runs/plain-data.js';
import type { OutputLayout } from '../scoring/metrics.js';
import { random } from '../tensor/random.js';
import { boostedTrees } from './boosted-trees-probe.js';
import { type FittedModel, predictFitted } from './fitted-model.js';
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

  it('stops where the validation rows say so, and says what its plain data says', async () => {
    const x = normal(200 * 2, 2);
    const source = random(2, 'noise');
    const labels = Float64Array.from({ length: 200 }, (_, row) => x[2 * row] ** 2 + 2 * source.normal());
    const rows = { count: 100, dimension: 2, features: x.subarray(0, 200), labels: labels.subarray(0, 100) };
    const valid = { features: x.subarray(200), labels: labels.subarray(100) };
    const one = spec({ task: 'regression', targets: 1, outputs: 1 });
    for (const { model, predict } of boostedTrees({ ...rows, valid }, one)) {
      const [{ ensemble }] = model.parts;
      expect(roundsOf(ensemble)).toBeLessThan(200);
      const { json, tensors } = packData(model, 'model');
      const kept = unpackData(JSON.parse(JSON.stringify(json)), tensors) as FittedModel;
      expect(predictFitted(kept, valid.features)).toEqual(predict(valid.features));
    }
  });

  it('fits each target to the rows that have it', async () => {
    const x = normal(40, 3);
    const labels = Array.from(x, (value, row) => [Math.sign(value), row < 25 ? 5 + value : Number.NaN]);
    const layout = { task: 'regression', targets: 2, outputs: 2 } as const;
    const both = await candidates(x, 1, labels.flat(), layout)[2].predict(x);
    const second = labels.slice(0, 25).map((row) => row[1]);
    const alone = candidates(x.slice(0, 25), 1, second, { ...layout, targets: 1, outputs: 1 });
    expect(both.filter((_, i) => i % 2 === 1)).toEqual(await alone[2].predict(x));
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
    const x = Float32Array.from({ length: 60 }, (_, row) => (row < 30 ? row - 30 : row - 29));
    const layout = { task: 'multiclass', targets: 1, outputs: 4 } as const;
    const two = candidates(
      x,
      1,
      Array.from(x, (value) => (value < 0 ? 1 : 3)),
      layout,
    ).at(-1);
    const outputs = (await two?.predict(Float32Array.of(-1, 1))) ?? new Float64Array();
    expect([outputs[0], outputs[2], outputs[4], outputs[6]]).toEqual([never, never, never, never]);
    expect(outputs[1]).toBeGreaterThan(outputs[3]);
    expect(outputs[7]).toBeGreaterThan(outputs[5]);
    const [one] = candidates(
      x,
      1,
      Array.from(x, () => 2),
      layout,
    );
    expect([...(await one.predict(Float32Array.of(7)))]).toEqual([never, never, 0, never]);
  });
});
