/** Where embeddings are compared: as they come they all point one way, so that every two look alike. */
import { accumulateTransposed, BLOCK_ROWS, forEachBlock, multiplyTransposed } from '../numerics/matrix.js';
import { symmetricEigen } from '../tensor/symmetric-eigen.js';

/** Vectors less the mean of a reference set, and perhaps turned and scaled so that the reference set is uncorrelated. */
export interface VectorSpace {
  readonly dimension: number;
  readonly mean: Float64Array;
  /** float64[dimension, dimension], symmetric: the inverse square root of the reference's covariance. */
  readonly whitening?: Float64Array;
}

/** The mean of rows float32[n, dimension]. */
export function centredSpace(rows: Float32Array, dimension: number): VectorSpace {
  const mean = new Float64Array(dimension);
  const ones = new Float64Array(BLOCK_ROWS).fill(1);
  forEachBlock(rows, dimension, (block, _, count) =>
    accumulateTransposed(mean, ones, block, 1, dimension, count),
  );
  const n = rows.length / dimension;
  return { dimension, mean: mean.map((sum) => sum / n) };
}

/**
 * The mean and covariance of rows float32[n, dimension], the covariance shrunk towards a multiple of the identity as Ledoit and
 * Wolf do (J. Multivariate Analysis 88, 2004), so that it can be inverted however few rows there are. Lengths in this space
 * are Mahalanobis distances to the mean. Directions along which rows that are all equal cannot differ count nothing.
 */
export function whitenedSpace(rows: Float32Array, dimension: number): VectorSpace {
  const space = centredSpace(rows, dimension);
  const n = rows.length / dimension;
  const moments = new Float64Array(dimension * dimension);
  let fourth = 0;
  forEachBlock(place(space, rows), dimension, (block, _, count) => {
    accumulateTransposed(moments, block, block, dimension, dimension, count);
    for (let row = 0; row < count; row++) {
      let squares = 0;
      for (let j = 0; j < dimension; j++) squares += block[row * dimension + j] ** 2;
      fourth += squares ** 2 / n;
    }
  });
  const covariance = moments.map((sum) => sum / n);
  let [trace, squares] = [0, 0];
  for (let j = 0; j < dimension; j++) trace += covariance[j * (dimension + 1)];
  for (const value of covariance) squares += value * value;
  const variance = trace / dimension;
  const spread = squares - dimension * variance ** 2;
  const noise = Math.max(0, fourth - squares) / n;
  const shrunk = spread > 0 ? Math.min(1, noise / spread) : 1;
  const { values, vectors } = symmetricEigen(covariance, dimension);
  const scales = values.map((value) => {
    const whole = (1 - shrunk) * Math.max(value, 0) + shrunk * variance;
    // What is less of the whole is rounding.
    return whole > 1e-9 * variance ? whole ** -0.25 : 0;
  });
  const scaled = new Float64Array(dimension * dimension);
  for (let i = 0; i < dimension; i++)
    for (let j = 0; j < dimension; j++) scaled[j * dimension + i] = vectors[i * dimension + j] * scales[i];
  const whitening = new Float64Array(dimension * dimension);
  multiplyTransposed(whitening, scaled, scaled, dimension, dimension, dimension);
  return { ...space, whitening };
}

/** What two numbers of records that are equal may differ by, as a part of the largest: they were computed in other batches. */
const ROUNDING = 1e-5;

/**
 * Where the directions of rows float32[n, dimension] are compared: from their mean, and perhaps whitened; from the origin where
 * all of them are equal, which have no direction from their mean though they are as similar as can be.
 */
export function directionSpace(
  rows: Float32Array,
  dimension: number,
  { whiten = false }: { whiten?: boolean } = {},
): VectorSpace {
  let most = 0;
  for (const value of rows) most = Math.max(most, Math.abs(value));
  const allEqual = rows.every((value, i) => Math.abs(value - rows[i % dimension]) <= ROUNDING * most);
  if (allEqual) return { dimension, mean: new Float64Array(dimension) };
  return (whiten ? whitenedSpace : centredSpace)(rows, dimension);
}

/** Rows float32[n, dimension] in a space. */
export function place({ dimension, mean, whitening }: VectorSpace, rows: Float32Array): Float32Array {
  const out = new Float32Array(rows.length);
  const turned = new Float64Array(BLOCK_ROWS * dimension);
  forEachBlock(rows, dimension, (block, first, count) => {
    for (let i = 0; i < count * dimension; i++) block[i] -= mean[i % dimension];
    if (whitening) multiplyTransposed(turned, block, whitening, count, dimension, dimension);
    out.set((whitening ? turned : block).subarray(0, count * dimension), first * dimension);
  });
  return out;
}

/** The lengths of rows float32[n, dimension]: float64[n]. */
export function rowLengths(rows: Float32Array, dimension: number): Float64Array {
  const lengths = new Float64Array(rows.length / dimension);
  for (let i = 0; i < rows.length; i++) lengths[Math.floor(i / dimension)] += rows[i] ** 2;
  return lengths.map(Math.sqrt);
}
