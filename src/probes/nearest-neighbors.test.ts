import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { product } from '../numerics/matrix-product.js';
import type { OutputLayout } from '../scoring/metrics.js';
import { random } from '../tensor/random.js';
import { nearestClassMeanProbe } from './nearest-class-mean.js';
import { nearestNeighbors, nearestNeighborsProbe } from './nearest-neighbors.js';

const spec = (layout: OutputLayout) => ({ ...layout, columns: [], classes: [], reason: '' });
const part = (features: readonly number[], dimension: number, labels: readonly number[]) => ({
  count: features.length / dimension,
  dimension,
  features: Float32Array.from(features),
  labels: Float64Array.from(labels),
});

describe('nearestNeighbors', () => {
  it('finds what sorting everything finds, ties in row order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 30 }), async (seed, n) => {
        const source = random(seed, 'neighbors');
        const draw = (length: number) => Float32Array.from({ length }, () => source.integer(5) - 2);
        const base = draw(n * 3);
        const queries = draw(4 * 3);
        const k = 1 + source.integer(n);
        const { rows, similarities } = await nearestNeighbors(queries, base, 3, k, product);
        for (let query = 0; query < 4; query++) {
          const score = (row: number) =>
            [0, 1, 2].reduce((sum, j) => sum + queries[query * 3 + j] * base[row * 3 + j], 0);
          const order = Array.from({ length: n }, (_, row) => row).sort(
            (a, b) => score(b) - score(a) || a - b,
          );
          expect([...rows.subarray(query * k, (query + 1) * k)]).toEqual(order.slice(0, k));
          expect([...similarities.subarray(query * k, (query + 1) * k)]).toEqual(
            order.slice(0, k).map(score),
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  it('carries its list from block to block', async () => {
    // 600 queries and 9,000 rows on a line: more than two blocks of each. The nearest is always the largest.
    const base = Float32Array.from({ length: 9000 }, (_, row) => (row * 7919) % 9000);
    const queries = new Float32Array(600).fill(1);
    const { rows, similarities } = await nearestNeighbors(queries, base, 1, 3, product);
    expect([...similarities.subarray(599 * 3)]).toEqual([8999, 8998, 8997]);
    expect(rows[0]).toBe(base.indexOf(8999));
  });
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
    expect([...(await one.predict(Float32Array.of(1, 0)))]).toEqual([0.5, -0.5]);
    const weights = [1, 1 / Math.hypot(1, 0.1), 0.1 / Math.hypot(1, 0.1), 0, 1 / Math.hypot(1, 0.2)].map(
      (similarity) => Math.exp(similarity / 0.07),
    );
    const share = (weights[0] + weights[1]) / weights.reduce((sum, weight) => sum + weight, 0);
    expect((await five.predict(Float32Array.of(1, 0)))[0]).toBeCloseTo(share - 0.5, 5);
  });

  it('gives vote shares per class', async () => {
    const train = { ...line, labels: Float64Array.of(2, 2, 0, 0, 2) };
    const layout = { task: 'multiclass', targets: 1, outputs: 3 } as const;
    const outputs = await [...nearestNeighborsProbe(train, spec(layout))][1].predict(Float32Array.of(0, 1));
    expect(outputs[0]).toBeGreaterThan(0.99);
    expect(outputs[1]).toBe(0);
    expect(outputs[0] + outputs[1] + outputs[2]).toBeCloseTo(1, 12);
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
