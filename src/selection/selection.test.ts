import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { openProduct } from '../numerics/matrix-product.js';
import { unitRows } from '../search/nearest-neighbors.js';
import { centredSpace, place } from '../search/vector-space.js';
import { lazyGreedy } from './facility-location.js';
import { type SelectorName, selectors } from './index.js';
import type { Pool } from './selector.js';

const PIXELS = 784;

/** Handwritten digits (LeCun et al., from the package mnist), float32[count, 784]. */
function digits(digit: number, count: number): Float32Array {
  const { data }: { data: number[] } = createRequire(import.meta.url)(`mnist/src/digits/${digit}.json`);
  return Float32Array.from(data.slice(0, count * PIXELS));
}

const joined = (...parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));

/** 100 zeros, 100 ones and 100 eights. */
const images = joined(digits(0, 100), digits(1, 100), digits(8, 100));
const { multiply } = await openProduct(undefined);
const space = centredSpace(images, PIXELS);
const unit = (rows: Float32Array) => unitRows(place(space, rows), PIXELS);
const pool = (own: Partial<Pool>): Pool => ({
  vectors: unit(images),
  width: PIXELS,
  count: 30,
  seed: 0,
  multiply,
  ...own,
});

describe('simcore', () => {
  it('takes what is like the target, the most similar first', async () => {
    const target = unit(joined(digits(1, 130).slice(100 * PIXELS)));
    const { records } = await selectors.simcore.select(pool({ target }));
    expect(records).toHaveLength(30);
    expect(new Set(records).size).toBe(30);
    const ones = [...records].filter((record) => record >= 100 && record < 200).length;
    expect(ones).toBe(30);
  });

  it('ends when what is left is no longer like the target', async () => {
    const target = unit(digits(1, 105).slice(100 * PIXELS));
    const { records, ended } = await selectors.simcore.select(pool({ target, count: undefined }));
    expect(records.length).toBeLessThan(150);
    expect(ended).toMatch(/less than 0\.95 times as similar/);
    // Who says how many gets as many.
    expect((await selectors.simcore.select(pool({ target, count: 200 }))).records).toHaveLength(200);
  });

  it('takes the one nearest to each center in a round', async () => {
    // Two targets along axes, and a pool around them.
    const target = Float32Array.of(1, 0, 0, 1);
    const vectors = unitRows(Float32Array.of(1, 0.1, 0.1, 1, 1, 0.2, 0.3, 1, -1, -1), 2);
    const { records } = await selectors.simcore.select(pool({ vectors, width: 2, target, count: 4 }));
    expect([...records.subarray(0, 2)].sort()).toEqual([0, 1]);
    expect([...records.subarray(2)].sort()).toEqual([2, 3]);
  });
});

describe('facility location', () => {
  it('is the greedy choice, evaluated lazily', () => {
    const n = 40;
    const similarities = Float64Array.from({ length: n * n }, (_, at) => {
      const [a, b] = [Math.floor(at / n), at % n].sort((x, y) => x - y);
      return a === b ? 1 : Math.abs(Math.sin(13 * a + 7 * b));
    });
    const eager: number[] = [];
    const covered = new Float64Array(n);
    while (eager.length < 12) {
      const gains = Array.from({ length: n }, (_, row) =>
        eager.includes(row)
          ? -1
          : covered.reduce((sum, own, i) => sum + Math.max(similarities[row * n + i] - own, 0), 0),
      );
      const best = gains.indexOf(Math.max(...gains));
      eager.push(best);
      covered.forEach((own, i) => {
        covered[i] = Math.max(own, similarities[best * n + i]);
      });
    }
    const lazy = lazyGreedy(similarities, n, 12);
    expect(lazy.map(({ row }) => row)).toEqual(eager);
    const gains = lazy.map(({ gain }) => gain);
    expect(gains).toEqual(gains.toSorted((a, b) => b - a));
    expect(gains.reduce((sum, gain) => sum + gain, 0)).toBeCloseTo(
      covered.reduce((sum, own) => sum + own, 0),
      9,
    );
  });

  it('stands for every digit better than a random subset', async () => {
    const cover = async (name: SelectorName, seed: number) => {
      const { records } = await selectors[name].select(pool({ count: 6, seed }));
      const vectors = unit(images);
      let sum = 0;
      for (let i = 0; i < 300; i++) {
        let most = -1;
        for (const record of records) {
          let product = 0;
          for (let j = 0; j < PIXELS; j++) product += vectors[i * PIXELS + j] * vectors[record * PIXELS + j];
          most = Math.max(most, product);
        }
        sum += most;
      }
      return sum;
    };
    const chosen = await cover('facility-location', 0);
    for (const seed of [0, 1, 2]) expect(chosen).toBeGreaterThan(await cover('random', seed));
    const { records } = await selectors['facility-location'].select(pool({ count: 300 }));
    expect(new Set(records).size).toBe(300);
  });
});

describe('near-duplicates', () => {
  it('leaves one of each group of copies, and all others', async () => {
    const copies = images.slice(0, 20 * PIXELS).map((value) => Math.min(1, value * 1.001));
    const both = joined(images, copies);
    const own = centredSpace(both, PIXELS);
    const vectors = unitRows(place(own, both), PIXELS);
    const { records, ended } = await selectors['near-duplicates'].select(pool({ vectors, count: 320 }));
    expect([...records]).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(ended).toBe('20 of 320 are copies of others');
  });
});

describe('perplexity', () => {
  it('takes the least, and tells exp of the loss', async () => {
    const errors = Float64Array.of(0.5, 2, Number.POSITIVE_INFINITY, 0.25);
    const { records, values } = await selectors.perplexity.select(pool({ errors, count: 2 }));
    expect([...records]).toEqual([3, 0]);
    expect([...values]).toEqual([Math.exp(0.25), Math.exp(0.5)]);
  });
});
