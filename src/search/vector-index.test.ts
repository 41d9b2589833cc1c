import { describe, expect, it } from 'vitest';
import { product } from '../numerics/matrix-product.js';
import { random } from '../tensor/random.js';
import { nearestNeighbors, unitRows } from './nearest-neighbors.js';
import { neighborsWithin, vectorIndex } from './vector-index.js';

const DIMENSION = 8;

/** Unit rows around `clumps` centers. */
function clumped(count: number, clumps: number): Float32Array {
  const source = random(1, 'clumps');
  const centers = Float32Array.from({ length: clumps * DIMENSION }, () => source.normal());
  const rows = Float32Array.from(
    { length: count * DIMENSION },
    (_, i) =>
      centers[(Math.floor(i / DIMENSION) % clumps) * DIMENSION + (i % DIMENSION)] + 0.3 * source.normal(),
  );
  return unitRows(rows, DIMENSION);
}

describe('vectorIndex', () => {
  it('finds among cells what a comparison with all finds, as often as it says', async () => {
    const rows = clumped(3000, 40);
    const index = await vectorIndex(rows, DIMENSION, { multiply: product, exactRows: 1000 });
    const { cells, probed, recall } = index.approximate!;
    expect(cells).toBe(55);
    expect(probed).toBeLessThan(cells);
    expect(recall).toBeGreaterThanOrEqual(0.98);
    const queries = clumped(200, 40);
    const found = await index.search(queries, 10);
    const wanted = await nearestNeighbors(queries, rows, DIMENSION, 10, product);
    let hits = 0;
    for (let query = 0; query < 200; query++) {
      const got = new Set(found.rows.subarray(query * 10, query * 10 + 10));
      for (const row of wanted.rows.subarray(query * 10, query * 10 + 10)) if (got.has(row)) hits++;
    }
    expect(hits / 2000).toBeGreaterThan(0.95);
  });

  it('has no row be its own neighbour, nor more neighbours than there are others', async () => {
    const rows = clumped(5, 2);
    const index = await vectorIndex(rows, DIMENSION, { multiply: product });
    const { k, rows: others } = await neighborsWithin(index, rows, 9);
    expect(k).toBe(4);
    for (let row = 0; row < 5; row++)
      expect([...others.subarray(row * 4, row * 4 + 4)].sort()).toEqual(
        [0, 1, 2, 3, 4].filter((i) => i !== row),
      );
    const alone = await vectorIndex(rows.subarray(0, DIMENSION), DIMENSION, { multiply: product });
    expect((await neighborsWithin(alone, rows.subarray(0, DIMENSION), 3)).k).toBe(0);
    expect([...(await alone.search(rows, 3)).rows]).toEqual([0, 0, 0, 0, 0]);
  });

  it('gives of rows that are all equal the first others', async () => {
    const rows = unitRows(new Float32Array(6 * DIMENSION).fill(1), DIMENSION);
    const index = await vectorIndex(rows, DIMENSION, { multiply: product });
    const { rows: others } = await neighborsWithin(index, rows, 2);
    expect([...others]).toEqual([1, 2, 0, 2, 0, 1, 0, 1, 0, 1, 0, 1]);
  });
});
