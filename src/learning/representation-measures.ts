/**
 * What embeddings tell of an encoder without training anything on them: whether records still differ, in how many
 * directions, and whether hiding a part of a record moves it. All take embeddings float32[n, width] and give NaN where
 * one is not finite.
 */
import { symmetricEigen } from '../tensor/symmetric-eigen.js';

/** float64[n, width]: rows scaled to unit length. A row of zeros stays zero. */
function unitRows(embeddings: Float32Array, width: number): Float64Array {
  const unit = Float64Array.from(embeddings);
  for (let start = 0; start < unit.length; start += width) {
    let squares = 0;
    for (let i = start; i < start + width; i++) squares += unit[i] * unit[i];
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let i = start; i < start + width; i++) unit[i] *= scale;
  }
  return unit;
}

/**
 * Standard deviation over the records of each dimension of the embeddings at unit length (Chen & He, CVPR 2021): the
 * mean over dimensions and the smallest. Spread evenly over the sphere it is 1/√width; under collapse it is 0.
 */
export function standardDeviations(
  embeddings: Float32Array,
  width: number,
): { mean: number; minimum: number } {
  const unit = unitRows(embeddings, width);
  const n = unit.length / width;
  const deviations = new Float64Array(width);
  for (let j = 0; j < width; j++) {
    let total = 0;
    for (let i = j; i < unit.length; i += width) total += unit[i];
    const mean = total / n;
    let squares = 0;
    for (let i = j; i < unit.length; i += width) squares += (unit[i] - mean) ** 2;
    deviations[j] = Math.sqrt(squares / n);
  }
  return {
    mean: deviations.reduce((sum, value) => sum + value, 0) / width,
    minimum: Math.min(...deviations),
  };
}

/**
 * RankMe (Garrido, Balestriero, Najman & LeCun, ICML 2023): exp of the entropy of the singular values, taken as shares of
 * their sum. From 1, all embeddings on one line through the origin, to the smaller of n and width. The embeddings are not
 * centred, so a mean that all share counts as a direction, and a large one leaves little to the others.
 *
 * Singular values are the roots of the eigenvalues of the second moments, width × width: n · width² + width³ operations.
 * Departure: nothing is added to the shares, since a share of 0 adds no entropy.
 */
export function effectiveRank(embeddings: Float32Array, width: number): number {
  const moments = new Float64Array(width * width);
  for (let start = 0; start < embeddings.length; start += width) {
    for (let i = 0; i < width; i++) {
      const value = embeddings[start + i];
      if (!Number.isFinite(value)) return Number.NaN;
      for (let j = 0; j <= i; j++) moments[i * width + j] += value * embeddings[start + j];
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) moments[j * width + i] = moments[i * width + j];
  const { values } = symmetricEigen(moments, width);
  // Rounding leaves those that are 0 a little to either side.
  const singular = values.map((value) => Math.sqrt(Math.max(value, 0)));
  const sum = singular.reduce((total, value) => total + value, 0);
  let entropy = 0;
  for (const value of singular) if (value > 0) entropy -= (value / sum) * Math.log(value / sum);
  return Math.exp(entropy);
}

/** float64[n, n]: the cosine of each two embeddings; 0 with an embedding that is zero. n² · width / 2 products. */
export function cosines(embeddings: Float32Array, width: number): Float64Array {
  const unit = unitRows(embeddings, width);
  const n = unit.length / width;
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const a = unit.subarray(i * width, (i + 1) * width);
    for (let j = 0; j <= i; j++) {
      const start = j * width;
      let product = 0;
      for (let k = 0; k < width; k++) product += a[k] * unit[start + k];
      result[i * n + j] = product;
      result[j * n + i] = product;
    }
  }
  return result;
}

/**
 * Uniformity (Wang & Isola, ICML 2020): log of the mean of exp(−2‖x − y‖²) over pairs of embeddings at unit length, given
 * their cosines float64[n, n]. 0 under collapse; the lower, the more evenly they spread, to about −4 for a large width.
 */
export function uniformity(cosine: Float64Array): number {
  const n = Math.sqrt(cosine.length);
  let total = 0;
  // ‖x − y‖² = 2 − 2 cos
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) total += Math.exp(4 * (cosine[i * n + j] - 1));
  return Math.log(total / ((n * (n - 1)) / 2));
}

/**
 * Alignment (Wang & Isola, ICML 2020): the mean of ‖x − y‖² over records, of whose embeddings at unit length x is under one
 * view and y under another. From 0, where views make no difference, to 4. Departure: the views hide tokens at random.
 */
export function alignment(first: Float32Array, second: Float32Array, width: number): number {
  const [a, b] = [unitRows(first, width), unitRows(second, width)];
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i] - b[i]) ** 2;
  return squares / (a.length / width);
}

/** Labels of some of the records: numbers, or the numbers of classes. NaN is missing. */
export interface MonitorLabels {
  readonly kind: 'classes' | 'numbers';
  /** float64[n] */
  readonly values: Float64Array;
}

/** Neighbours that predict a label. */
export const NEIGHBORS = 10;

/**
 * How well the label of each record follows from those of its 10 nearest other records by cosine, given float64[n, n]:
 * for classes the share that the most frequent one among them gets right (of equally frequent ones the nearest); for numbers R²
 * of their mean, 1 − Σ(y − ŷ)² / Σ(y − ȳ)². Records without a label have no part in it.
 */
export function nearestNeighborScore(cosine: Float64Array, { kind, values }: MonitorLabels): number {
  if (!cosine.every(Number.isFinite)) return Number.NaN;
  const n = values.length;
  const labelled = Array.from(values.keys()).filter((i) => !Number.isNaN(values[i]));
  const mean = labelled.reduce((sum, i) => sum + values[i], 0) / labelled.length;
  let right = 0;
  let [squares, spread] = [0, 0];
  for (const i of labelled) {
    const neighbors = nearest(cosine.subarray(i * n, (i + 1) * n), i, labelled).map((j) => values[j]);
    if (kind === 'classes') {
      if (mostFrequent(neighbors) === values[i]) right++;
    } else {
      squares += (values[i] - neighbors.reduce((sum, value) => sum + value, 0) / neighbors.length) ** 2;
      spread += (values[i] - mean) ** 2;
    }
  }
  return kind === 'classes' ? right / labelled.length : 1 - squares / spread;
}

/** Of the candidates but `self`, the 10 of the largest cosine, nearest first; of equally near ones the earlier first. */
function nearest(cosine: Float64Array, self: number, candidates: readonly number[]): number[] {
  const found: number[] = [];
  for (const candidate of candidates) {
    if (candidate === self) continue;
    if (found.length === NEIGHBORS && cosine[candidate] <= cosine[found[NEIGHBORS - 1]]) continue;
    let place = Math.min(found.length, NEIGHBORS - 1);
    for (; place > 0 && cosine[found[place - 1]] < cosine[candidate]; place--)
      found[place] = found[place - 1];
    found[place] = candidate;
  }
  return found;
}

/** The first of the most frequent values. */
function mostFrequent(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return values.find((value) => counts.get(value) === most)!;
}

/** ‖x − y‖ / ‖y‖: 0 where they are one; NaN where both are zero. */
export function relativeDistance(x: Float32Array, y: Float32Array): number {
  let [difference, length] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    difference += (x[i] - y[i]) ** 2;
    length += y[i] ** 2;
  }
  return Math.sqrt(difference / length);
}
