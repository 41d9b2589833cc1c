/** The rows that are nearest to a row by Euclidean distance. */
import type { MatrixProduct } from '../numerics/matrix-product.js';
import { squaredLengths } from './k-means.js';
import { nearestNeighbors } from './nearest-neighbors.js';

/** A search by Euclidean distance: the rows int32[m, k] and their distances float64[m, k], nearest first; k is at most n. */
export type EuclideanSearch = (
  queries: Float32Array,
  k: number,
) => Promise<{ k: number; rows: Int32Array; distances: Float64Array }>;

/**
 * Exact search of float32[n, dimension], n ≥ 1: |q − b|² = |q|² − 2 (q · b − |b|²/2), so that the nearest rows are those
 * with the largest product of one more dimension.
 */
export function euclideanSearch(
  base: Float32Array,
  dimension: number,
  multiply: MatrixProduct,
): EuclideanSearch {
  const halves = squaredLengths(base, dimension).map((square) => -square / 2);
  const rows = withColumn(base, dimension, (row) => halves[row]);
  return async (queries, k) => {
    const squares = squaredLengths(queries, dimension);
    const asked = withColumn(queries, dimension, () => 1);
    const found = await nearestNeighbors(asked, rows, dimension + 1, Math.min(k, halves.length), multiply);
    const distances = Float64Array.from(found.similarities, (closeness, i) =>
      Math.sqrt(Math.max(0, squares[Math.floor(i / found.k)] - 2 * closeness)),
    );
    return { k: found.k, rows: found.rows, distances };
  };
}

/** Rows with one number more. */
function withColumn(rows: Float32Array, dimension: number, value: (row: number) => number): Float32Array {
  const n = rows.length / dimension;
  const out = new Float32Array(n * (dimension + 1));
  for (let row = 0; row < n; row++) {
    out.set(rows.subarray(row * dimension, (row + 1) * dimension), row * (dimension + 1));
    out[row * (dimension + 1) + dimension] = value(row);
  }
  return out;
}
