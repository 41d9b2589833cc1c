/** Clusters of vectors. */
import type { MatrixProduct } from '../numerics/matrix-product.js';
import { random } from '../tensor/random.js';

/** Clusters by their means, and which each row is in. */
export interface Clusters {
  /** float32[clusters, dimension] */
  readonly centers: Float32Array;
  /** int32[n] */
  readonly members: Int32Array;
}

export interface KMeansOptions {
  readonly clusters: number;
  readonly seed: number;
  readonly multiply: MatrixProduct;
  /** Passes over the rows, at most. */
  readonly iterations?: number;
}

const BLOCK = 1024;

/**
 * The nearest center of each row, and by how much: the squared distance, float64[n]. 2 · n · centers · dimension operations.
 * @param rows float32[n, dimension]
 * @param centers float32[clusters, dimension]
 */
export async function nearestCenters(
  rows: Float32Array,
  centers: Float32Array,
  dimension: number,
  multiply: MatrixProduct,
): Promise<{ members: Int32Array; distances: Float64Array }> {
  const n = rows.length / dimension;
  const clusters = centers.length / dimension;
  const halves = squaredLengths(centers, dimension).map((square) => square / 2);
  const members = new Int32Array(n);
  const distances = new Float64Array(n);
  for (let first = 0; first < n; first += BLOCK) {
    const count = Math.min(BLOCK, n - first);
    const block = rows.subarray(first * dimension, (first + count) * dimension);
    const products = await multiply(block, centers, dimension);
    for (let row = 0; row < count; row++) {
      let [best, most] = [0, Number.NEGATIVE_INFINITY];
      for (let cluster = 0; cluster < clusters; cluster++) {
        const closeness = products[row * clusters + cluster] - halves[cluster];
        if (closeness > most) [best, most] = [cluster, closeness];
      }
      members[first + row] = best;
      // The difference of products would be rounding where a row is its center.
      let squares = 0;
      for (let j = 0; j < dimension; j++)
        squares += (block[row * dimension + j] - centers[best * dimension + j]) ** 2;
      distances[first + row] = squares;
    }
  }
  return { members, distances };
}

/**
 * Lloyd's k-means from centers drawn by k-means++ (Arthur and Vassilvitskii, SODA 2007). A cluster that runs empty starts
 * anew at the row that is farthest from its center. The same for the same seed.
 * @param rows float32[n, dimension], n ≥ clusters
 */
export async function kMeans(
  rows: Float32Array,
  dimension: number,
  { clusters, seed, multiply, iterations = 50 }: KMeansOptions,
): Promise<Clusters> {
  const n = rows.length / dimension;
  const centers = spreadRows(rows, dimension, clusters, seed);
  let members = new Int32Array(n).fill(-1);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const nearest = await nearestCenters(rows, centers, dimension, multiply);
    const moved = nearest.members.some((member, row) => member !== members[row]);
    members = nearest.members as Int32Array<ArrayBuffer>;
    if (!moved) break;
    const sums = new Float64Array(centers.length);
    const counts = new Float64Array(clusters);
    for (let row = 0; row < n; row++) {
      const to = members[row] * dimension;
      for (let j = 0; j < dimension; j++) sums[to + j] += rows[row * dimension + j];
      counts[members[row]]++;
    }
    for (let cluster = 0; cluster < clusters; cluster++) {
      const from = cluster * dimension;
      if (counts[cluster] > 0) {
        for (let j = 0; j < dimension; j++) centers[from + j] = sums[from + j] / counts[cluster];
        continue;
      }
      let farthest = 0;
      for (let row = 1; row < n; row++)
        if (nearest.distances[row] > nearest.distances[farthest]) farthest = row;
      nearest.distances[farthest] = 0;
      centers.set(rows.subarray(farthest * dimension, (farthest + 1) * dimension), from);
    }
  }
  return { centers, members };
}

/** Rows that lie apart: each is drawn with a chance in proportion to its squared distance to those before. */
function spreadRows(rows: Float32Array, dimension: number, count: number, seed: number): Float32Array {
  const n = rows.length / dimension;
  const { uniform } = random(seed, 'k-means', 0, 0);
  const centers = new Float32Array(count * dimension);
  const distances = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  let chosen = Math.floor(uniform() * n);
  for (let center = 0; center < count; center++) {
    const own = rows.subarray(chosen * dimension, (chosen + 1) * dimension);
    centers.set(own, center * dimension);
    let total = 0;
    for (let row = 0; row < n; row++) {
      let squares = 0;
      for (let j = 0, i = row * dimension; j < dimension; j++) {
        const difference = rows[i + j] - own[j];
        squares += difference * difference;
      }
      if (squares < distances[row]) distances[row] = squares;
      total += distances[row];
    }
    // Where all rows lie on centers already, any will do.
    const mark = uniform() * total;
    let passed = distances[0];
    for (chosen = 0; chosen < n - 1 && passed < mark; ) passed += distances[++chosen];
  }
  return centers;
}

/** float64[n] */
export function squaredLengths(rows: Float32Array, dimension: number): Float64Array {
  const squares = new Float64Array(rows.length / dimension);
  for (let row = 0; row < squares.length; row++) {
    let sum = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) sum += rows[i] * rows[i];
    squares[row] = sum;
  }
  return squares;
}
