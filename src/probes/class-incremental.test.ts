import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { Part } from '../records/split.js';
import { describeLabels } from '../scoring/labels.js';
import { adjustedRandIndex, classDiscovery } from './class-discovery.js';
import { classIncremental, learners } from './class-incremental.js';
import { represented } from './represented.case.js';

/** Handwritten digits (LeCun et al., from the package mnist), shrunk to 7 × 7 pixels: 600 training, 200 validation, 200 test. */
const COUNT = 1000;
const labels = Float64Array.from({ length: COUNT }, (_, i) => i % 10);
const features = new Float32Array(COUNT * 49);
for (let digit = 0; digit < 10; digit++) {
  const { data }: { data: number[] } = createRequire(import.meta.url)(`mnist/src/digits/${digit}.json`);
  for (let image = 0; image < COUNT / 10; image++)
    for (let i = 0; i < 784; i++) {
      const [y, x] = [Math.floor(i / 28) >> 2, (i % 28) >> 2];
      features[(image * 10 + digit) * 49 + y * 7 + x] += data[image * 784 + i] / 16;
    }
}
const part = Array.from(labels, (_, row): Part => (row < 600 ? 'train' : row < 800 ? 'valid' : 'test'));
const spec = describeLabels([{ name: 'digit', values: labels }]);
const digits = (own: Partial<Parameters<typeof represented>[0]> = {}) =>
  represented({ features, dimension: 49, labels, part, ...own }, spec, 'accuracy');

async function valuesOf(given: AsyncIterable<readonly [string, number]>): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for await (const [name, value] of given) values[name] = value;
  return values;
}

describe('classes that arrive', () => {
  it('are remembered by sums, and forgotten by a head that is trained in turn', async () => {
    const values = await valuesOf(classIncremental(digits()));
    for (const name of ['class means', 'streaming discriminant', 'streaming ridge']) {
      expect(values[`accuracy, ${name}`]).toBeGreaterThan(0.65);
      expect(values[`forgetting, ${name}`]).toBeLessThan(0.3);
    }
    expect(values['accuracy, head trained in turn']).toBeLessThan(0.5);
    expect(values['forgetting, head trained in turn']).toBeGreaterThan(0.5);
  });

  it('streaming ridge and means learn the same in whatever order records come', () => {
    const some = Array.from({ length: 200 }, (_, row) => row);
    const pick = (rows: readonly number[]) => ({
      features: Float32Array.from(rows.flatMap((row) => [...features.subarray(row * 49, (row + 1) * 49)])),
      labels: Float64Array.from(rows, (row) => labels[row]),
    });
    const query = features.subarray(300 * 49, 320 * 49);
    for (const name of ['class means', 'streaming ridge']) {
      const [whole, parted] = [learners[name](49, 10), learners[name](49, 10)];
      whole.learn(pick(some));
      for (const remainder of [2, 0, 1]) parted.learn(pick(some.filter((row) => row % 3 === remainder)));
      const expected = whole.outputs(query);
      parted.outputs(query).forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i], 8);
      });
    }
  });

  it('never predict a class that has not come', () => {
    for (const begin of Object.values(learners)) {
      const learner = begin(49, 10);
      learner.learn({ features: features.slice(0, 2 * 49), labels: labels.slice(0, 2) });
      expect([...learner.outputs(features.subarray(0, 49))].slice(2)).toEqual(
        new Array(8).fill(Number.NEGATIVE_INFINITY),
      );
    }
  });
});

describe('classes without labels', () => {
  it('are found by k-means, and named by the labels whatever the clusters are numbered', async () => {
    const { accuracy, stability } = await valuesOf(classDiscovery(digits()));
    expect(accuracy).toBeGreaterThan(0.35);
    expect(stability).toBeGreaterThan(0.3);
    expect(stability).toBeLessThanOrEqual(1);
  });

  it('an adjusted Rand index is 1 for the same clusters, and what scikit-learn gives for others', () => {
    const a = Int32Array.of(0, 0, 1, 1, 2, 2);
    expect(adjustedRandIndex(a, Int32Array.of(5, 5, 3, 3, 1, 1))).toBe(1);
    // sklearn.metrics.adjusted_rand_score([0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 2])
    expect(adjustedRandIndex(a, Int32Array.of(0, 0, 1, 2, 2, 2))).toBeCloseTo(0.4444444444, 9);
  });
});
