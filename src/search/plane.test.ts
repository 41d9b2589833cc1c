import { expect, it } from 'vitest';
import { product } from '../numerics/matrix-product.js';
import { random } from '../tensor/random.js';
import { nearestNeighbors, unitRows, withoutSelf } from './nearest-neighbors.js';
import { onPlane } from './plane.js';
import { centredSpace, place } from './vector-space.js';

/** Three groups of vectors that point in different directions. */
const [n, dimension] = [90, 8];
const source = random(1, 'groups');
const rows = Float32Array.from({ length: n * dimension }, (_, i) => {
  const group = Math.floor(i / dimension) % 3;
  return (i % dimension === group ? 5 : 0) + 0.3 * source.normal();
});
const placed = unitRows(place(centredSpace(rows, dimension), rows), dimension);
const neighborsOf = async (vectors: Float32Array, k: number) =>
  withoutSelf(await nearestNeighbors(vectors, vectors, dimension, k + 1, product));

it('lays what is alike side by side, the same for the same seed, on axes from 0 to 1', async () => {
  const neighbors = await neighborsOf(placed, 10);
  const places = await onPlane(placed, dimension, neighbors, { seed: 0 });
  expect(places).toHaveLength(2 * n);
  expect([Math.min(...places), Math.max(...places)]).toEqual([0, 1]);
  // The nearest other point on the plane is of the same group.
  for (let i = 0; i < n; i++) {
    const distances = Array.from({ length: n }, (_, j) =>
      i === j
        ? Number.POSITIVE_INFINITY
        : Math.hypot(places[2 * i] - places[2 * j], places[2 * i + 1] - places[2 * j + 1]),
    );
    expect(distances.indexOf(Math.min(...distances)) % 3).toBe(i % 3);
  }
  expect(await onPlane(placed, dimension, neighbors, { seed: 0 })).toEqual(places);
});

it('takes a few vectors, and vectors that are all equal', async () => {
  const few = placed.slice(0, 4 * dimension);
  const places = await onPlane(few, dimension, await neighborsOf(few, 3), { seed: 0 });
  expect(places.every((value) => value >= 0 && value <= 1)).toBe(true);
  const equal = new Float32Array(40 * dimension).fill(1);
  const same = await onPlane(equal, dimension, await neighborsOf(equal, 10), { seed: 0 });
  expect(same.every((value) => value >= 0 && value <= 1)).toBe(true);
});

it('stops where the signal says', async () => {
  const neighbors = await neighborsOf(placed, 10);
  const signal = AbortSignal.abort(new Error('enough'));
  let told = 0;
  const asked = onPlane(placed, dimension, neighbors, { seed: 0, signal, onProgress: () => told++ });
  // So few vectors may be done before the first look.
  await asked.then(
    () => expect(told).toBe(0),
    (error: Error) => expect(error.message).toBe('enough'),
  );
});
