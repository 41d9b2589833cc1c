import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { product } from '../numerics/matrix-product.js';
import { random } from '../tensor/random.js';
import { nearestNeighbors } from './nearest-neighbors.js';

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
