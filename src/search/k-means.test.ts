import { expect, it } from 'vitest';
import { product } from '../numerics/matrix-product.js';
import { random } from '../tensor/random.js';
import { kMeans } from './k-means.js';
import { silhouette } from './silhouette.js';

const { normal } = random(6, 'points');
/** Three clumps of a plane, by turns. */
const points = Float32Array.from({ length: 2 * 90 }, (_, i) => {
  const clump = Math.floor(i / 2) % 3;
  return (
    [
      [0, 0],
      [8, 0],
      [0, 8],
    ][clump][i % 2] + normal()
  );
});

it('finds clumps that lie apart, and their number by the silhouette', async () => {
  const scores: number[] = [];
  for (const clusters of [2, 3, 4]) {
    const { members } = await kMeans(points, 2, { clusters, seed: 1, multiply: product });
    scores.push(await silhouette(points, 2, { members, clusters, multiply: product }));
    if (clusters === 3) for (let row = 0; row < 90; row++) expect(members[row]).toBe(members[row % 3]);
  }
  expect(scores.indexOf(Math.max(...scores))).toBe(1);
  expect(scores[1]).toBeGreaterThan(0.6);
});

it('has a cluster of each row where there are as many, and of rows that are all equal', async () => {
  const { members } = await kMeans(points.subarray(0, 6), 2, { clusters: 3, seed: 1, multiply: product });
  expect(new Set(members).size).toBe(3);
  const equal = new Float32Array(10).fill(1);
  expect((await kMeans(equal, 2, { clusters: 2, seed: 1, multiply: product })).members).toHaveLength(5);
});

it('measures the silhouette of four points on a line', async () => {
  // 0 and 1 are 1 apart, and 9.5 and 8.5 on average from the pair 9 and 10.
  const line = Float32Array.of(0, 1, 9, 10);
  const own = (within: number, nearest: number) => (nearest - within) / nearest;
  expect(await silhouette(line, 1, { members: [0, 0, 1, 1], clusters: 2, multiply: product })).toBeCloseTo(
    (own(1, 9.5) + own(1, 8.5)) / 2,
    5,
  );
});
