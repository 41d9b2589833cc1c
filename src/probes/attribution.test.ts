import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { LabelSpec } from '../scoring/labels.js';
import { attributions, movement } from './attribution.js';

const PIXELS = 784;

/** Handwritten digits (LeCun et al., from the package mnist), every fourth pixel of every fourth row: float32[count, 49]. */
function digits(digit: number, first: number, count: number): number[] {
  const { data }: { data: number[] } = createRequire(import.meta.url)(`mnist/src/digits/${digit}.json`);
  return data
    .slice(first * PIXELS, (first + count) * PIXELS)
    .filter((_, i) => i % 4 === 0 && Math.floor((i % PIXELS) / 28) % 4 === 0);
}

const binary: LabelSpec = {
  task: 'binary',
  columns: ['y'],
  targets: 1,
  outputs: 1,
  classes: [['3', '8']],
  reason: '',
};
const part = (first: number, count: number) => ({
  features: Float32Array.from([...digits(3, first, count), ...digits(8, first, count)]),
  labels: Float64Array.from({ length: 2 * count }, (_, i) => (i < count ? 0 : 1)),
});
const train = { count: 160, dimension: 49, ...part(0, 80), valid: part(80, 20) };
const asked = { spec: binary, metric: 'accuracy' as const, k: 5, draws: 2, seed: 0 };

describe('attributions', () => {
  it('names the nearest training records, a copy first, and what is predicted without them', async () => {
    const queries = train.features.slice(7 * 49, 8 * 49);
    const [{ rows, similarities, outputs, without, withoutRandom }] = await attributions(train, {
      ...asked,
      queries,
    });
    expect(rows[0]).toBe(7);
    expect(similarities[0]).toBeCloseTo(1, 5);
    expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
    expect(new Set(rows).size).toBe(5);
    expect(outputs[0]).toBeLessThan(0);
    // Without its own kind a three looks less like one.
    expect(without[0]).toBeGreaterThan(outputs[0]);
    expect(withoutRandom).toHaveLength(2);
  });

  it('finds that predictions rest more on what is near than on others', async () => {
    const queries = Float32Array.from([...digits(3, 110, 12), ...digits(8, 110, 12)]);
    const found = await attributions(train, { ...asked, k: 20, queries });
    const [near, random] = [0, 0].map((_, which) =>
      found.reduce((sum, { outputs, without, withoutRandom }) => {
        const others = which === 0 ? [without] : withoutRandom;
        return sum + others.reduce((all, other) => all + movement(outputs, other, binary) / others.length, 0);
      }, 0),
    );
    expect(near).toBeGreaterThan(random);
  });
});

describe('movement', () => {
  const spec = (task: LabelSpec['task'], outputs: number): LabelSpec => ({
    ...binary,
    task,
    outputs,
    targets: task === 'multiclass' ? 1 : outputs,
  });
  it('is the total variation of probabilities, or the difference of numbers', () => {
    expect(movement(Float64Array.of(0), Float64Array.of(Math.log(3)), spec('binary', 1))).toBeCloseTo(
      0.25,
      12,
    );
    expect(
      movement(Float64Array.of(0, 0), Float64Array.of(Math.log(3), 0), spec('multiclass', 2)),
    ).toBeCloseTo(0.25, 12);
    expect(movement(Float64Array.of(1, 5), Float64Array.of(2, 1), spec('regression', 2))).toBeCloseTo(
      2.5,
      12,
    );
  });
});
