/** How many clusters there are. */
import type { MatrixProduct } from '../numerics/matrix-product.js';
import { squaredLengths } from './k-means.js';

/**
 * The mean silhouette of rows float32[n, dimension] in clusters (Rousseeuw, 1987): of each row (b − a) / max(a, b), with a its
 * mean distance to the others of its cluster and b the least one to those of another; 0 for a cluster of one. n² distances.
 */
export async function silhouette(
  rows: Float32Array,
  dimension: number,
  { members, clusters, multiply }: { members: ArrayLike<number>; clusters: number; multiply: MatrixProduct },
): Promise<number> {
  const n = rows.length / dimension;
  const squares = squaredLengths(rows, dimension);
  const products = await multiply(rows, rows, dimension);
  const sizes = new Float64Array(clusters);
  for (let row = 0; row < n; row++) sizes[members[row]]++;
  let total = 0;
  for (let row = 0; row < n; row++) {
    const sums = new Float64Array(clusters);
    for (let other = 0; other < n; other++)
      sums[members[other]] += Math.sqrt(
        Math.max(0, other === row ? 0 : squares[row] + squares[other] - 2 * products[row * n + other]),
      );
    const own = members[row];
    if (sizes[own] < 2) continue;
    const within = sums[own] / (sizes[own] - 1);
    let nearest = Number.POSITIVE_INFINITY;
    for (let cluster = 0; cluster < clusters; cluster++)
      if (cluster !== own && sizes[cluster] > 0) nearest = Math.min(nearest, sums[cluster] / sizes[cluster]);
    const larger = Math.max(within, nearest);
    if (larger > 0 && Number.isFinite(nearest)) total += (nearest - within) / larger;
  }
  return total / n;
}
