import { LacunaError } from '../errors.js';
import type { LinearModel, Standardization } from './linear-model.js';
import { dot } from './matrix.js';

/** Rows of numbers that are mostly 0, by those that are not. */
export interface SparseRows {
  /** int32[rows + 1]: where each row begins. */
  readonly offsets: Int32Array;
  /** The columns of the numbers, ascending in each row. */
  readonly columns: Int32Array;
  /** The numbers; 1 by default. */
  readonly values?: Float32Array;
}

/** The rows of features float32[rows, dimension], not shifted, but scaled as they are standardised; NaN stands as the mean. */
export function sparseRows(features: Float32Array, { mean, scale }: Standardization): SparseRows {
  const dimension = scale.length;
  const offsets = new Int32Array(features.length / dimension + 1);
  const count = features.reduce((sum, value) => sum + Number(value !== 0), 0);
  const [columns, values] = [new Int32Array(count), new Float32Array(count)];
  let found = 0;
  for (let row = 0; row + 1 < offsets.length; row++) {
    for (let column = 0; column < dimension; column++) {
      const value = features[row * dimension + column];
      if (value === 0) continue;
      columns[found] = column;
      values[found++] = (Number.isNaN(value) ? mean[column] : value) * scale[column];
    }
    offsets[row + 1] = found;
  }
  return { offsets, columns, values };
}

/** The residual's norm, as a part of the right side's, at which the solver stops. */
const TOLERANCE = 1e-6;
const MOST_ITERATIONS = 1000;

/**
 * Ridge regression as {@link ridge} defines it, by conjugate gradients (Hestenes & Stiefel, 1952) on sparse rows: O(numbers)
 * an iteration. Each solution starts from the one before, so penalties are best asked for from the strongest on. Throws LacunaError for
 * one so weak that its optimum is not reached.
 * @param y float64[rows]
 */
export function sparseRidge(
  rows: SparseRows,
  dimension: number,
  y: Float64Array,
): (lambda: number) => LinearModel {
  const n = y.length;
  const mean = y.reduce((sum, value) => sum + value, 0) / n;
  const columnMeans = new Float64Array(dimension);
  rows.columns.forEach((column, i) => {
    columnMeans[column] += (rows.values ? rows.values[i] : 1) / n;
  });
  const residual = y.map((value) => value - mean);
  const weights = new Float64Array(dimension);
  return (lambda) => {
    solve(rows, columnMeans, residual, lambda, weights);
    return { dimension, weights: weights.slice(), bias: Float64Array.of(mean - dot(weights, columnMeans)) };
  };
}

/** X w, float64[rows]. */
export function sparseProducts(
  { offsets, columns, values }: SparseRows,
  weights: Float64Array,
): Float64Array {
  const out = new Float64Array(offsets.length - 1);
  for (let row = 0; row < out.length; row++) {
    let sum = 0;
    if (values) for (let i = offsets[row]; i < offsets[row + 1]; i++) sum += values[i] * weights[columns[i]];
    else for (let i = offsets[row]; i < offsets[row + 1]; i++) sum += weights[columns[i]];
    out[row] = sum;
  }
  return out;
}

/** Xᵀ v / n, float64[dimension]. */
function transposedProducts(
  { offsets, columns, values }: SparseRows,
  v: Float64Array,
  dimension: number,
): Float64Array {
  const out = new Float64Array(dimension);
  for (let row = 0; row < v.length; row++) {
    const share = v[row] / v.length;
    if (values) for (let i = offsets[row]; i < offsets[row + 1]; i++) out[columns[i]] += values[i] * share;
    else for (let i = offsets[row]; i < offsets[row + 1]; i++) out[columns[i]] += share;
  }
  return out;
}

/** Solves (Cᵀ C / n + λ I) w = Cᵀ y / n in place, where C is X with each column's mean taken off and y sums to 0. */
function solve(
  rows: SparseRows,
  means: Float64Array,
  y: Float64Array,
  lambda: number,
  weights: Float64Array,
): void {
  const normal = (w: Float64Array) => {
    const shift = dot(means, w);
    const image = sparseProducts(rows, w).map((value) => value - shift);
    // Their sum is 0, so the means need not be taken off a second time.
    const out = transposedProducts(rows, image, means.length);
    for (let j = 0; j < w.length; j++) out[j] += lambda * w[j];
    return out;
  };
  const right = transposedProducts(rows, y, means.length);
  const residual = normal(weights).map((value, j) => right[j] - value);
  let direction = residual.slice();
  let square = dot(residual, residual);
  const enough = TOLERANCE ** 2 * dot(right, right);
  for (let iteration = 0; iteration < MOST_ITERATIONS && square > enough; iteration++) {
    const image = normal(direction);
    const step = square / dot(direction, image);
    for (let j = 0; j < weights.length; j++) {
      weights[j] += step * direction[j];
      residual[j] -= step * image[j];
    }
    const next = dot(residual, residual);
    direction = direction.map((value, j) => residual[j] + (next / square) * value);
    square = next;
  }
  if (square > enough)
    throw new LacunaError(
      `linear probe: the optimum of the penalty ${lambda} is not reached in ${MOST_ITERATIONS} iterations; look for features of extreme size`,
    );
}
