import { symmetricEigen } from '../tensor/symmetric-eigen.js';
import { accumulateTransposed, BLOCK_ROWS, forEachBlock, multiplyTransposed } from './matrix.js';

/** Mean and covariance (over n) of the rows of a matrix, the covariance as Σᵢ variances[i] · axisᵢ axisᵢᵀ. */
export interface PrincipalAxes {
  readonly dimension: number;
  readonly mean: Float64Array;
  /** One for each axis. With fewer rows than columns the axes are those along which rows differ. */
  readonly variances: Float64Array;
  /** Σᵢ coordinates[i] · axisᵢ: float64[m, axes] → float64[m, dimension]; zeros where there is no axis. */
  combine(coordinates: Float64Array, m: number): Float64Array;
}

/** Rows of a matrix in the coordinates of their principal axes, which are uncorrelated. */
export interface PrincipalRows {
  readonly dimension: number;
  readonly axes: PrincipalAxes;
  /** float64[n, axes + 1]: coordinates up to a shift, then a 1 that the intercept is the weight of. */
  readonly rows: Float64Array;
}

/**
 * Rows x float32[n, dimension], whose columns should not be far from mean 0, in the coordinates of their principal axes. With fewer
 * rows than columns the axes are found in the space of the rows, O(n² d + n³), else of the columns, O(n d² + d³). A linear
 * model with a penalty ‖w‖² and a free intercept has weights in the span of the rows less their mean, so these axes are all
 * that it needs.
 */
export function principalRows(x: Float32Array, dimension: number): PrincipalRows {
  return x.length / dimension < dimension ? fewRows(x, dimension) : manyRows(x, dimension);
}

function manyRows(x: Float32Array, dimension: number): PrincipalRows {
  const n = x.length / dimension;
  const mean = new Float64Array(dimension);
  const moments = new Float64Array(dimension * dimension);
  const ones = new Float64Array(n).fill(1);
  forEachBlock(x, dimension, (block, _, count) => {
    accumulateTransposed(mean, ones, block, 1, dimension, count);
    accumulateTransposed(moments, block, block, dimension, dimension, count);
  });
  for (let j = 0; j < dimension; j++) mean[j] /= n;
  for (let i = 0; i < dimension; i++) {
    for (let j = 0; j < dimension; j++) {
      moments[i * dimension + j] = moments[i * dimension + j] / n - mean[i] * mean[j];
    }
  }
  const { values, vectors, vectorsTransposed } = eigen(moments, dimension);
  const axes: PrincipalAxes = {
    dimension,
    mean,
    variances: values.map((value) => Math.max(value, 0)),
    combine(given, m) {
      const out = new Float64Array(m * dimension);
      multiplyTransposed(out, given, vectorsTransposed, m, dimension, dimension);
      return out;
    },
  };
  const columns = dimension + 1;
  const rows = new Float64Array(n * columns).fill(1);
  const coordinates = new Float64Array(BLOCK_ROWS * dimension);
  forEachBlock(x, dimension, (block, first, count) => {
    multiplyTransposed(coordinates, block, vectors, count, dimension, dimension);
    for (let row = 0; row < count; row++) {
      rows.set(coordinates.subarray(row * dimension, (row + 1) * dimension), (first + row) * columns);
    }
  });
  return { dimension, axes, rows };
}

/** An axis with a smaller share of the largest variance is rounding. */
const LEAST_VARIANCE = 1e-12;

/**
 * Of the products of centred rows, C Cᵀ = U S² Uᵀ: the axes are the rows of S⁻¹ Uᵀ C, which is never made, and the rows'
 * coordinates are U S.
 */
function fewRows(x: Float32Array, dimension: number): PrincipalRows {
  const n = x.length / dimension;
  const mean = new Float64Array(dimension);
  for (let row = 0; row < n; row++) {
    for (let j = 0; j < dimension; j++) mean[j] += x[row * dimension + j] / n;
  }
  const centered = new Float64Array(x.length);
  for (let row = 0; row < n; row++) {
    for (let j = 0; j < dimension; j++) {
      centered[row * dimension + j] = x[row * dimension + j] - mean[j];
    }
  }
  const products = new Float64Array(n * n);
  multiplyTransposed(products, centered, centered, n, n, dimension);
  const { values, vectors } = eigen(products, n);
  const least = LEAST_VARIANCE * values.reduce((most, value) => Math.max(most, value), 0);
  const kept = Array.from(values.keys()).filter((i) => values[i] > least);
  const rank = kept.length;
  const scales = Float64Array.from(kept, (i) => Math.sqrt(values[i]));
  // Uᵀ and U of the axes that are kept.
  const left = new Float64Array(rank * n);
  kept.forEach((i, axis) => {
    left.set(vectors.subarray(i * n, (i + 1) * n), axis * n);
  });
  const rows = new Float64Array(n * (rank + 1)).fill(1);
  for (let axis = 0; axis < rank; axis++) {
    for (let row = 0; row < n; row++) rows[row * (rank + 1) + axis] = left[axis * n + row] * scales[axis];
  }
  const axes: PrincipalAxes = {
    dimension,
    mean,
    variances: Float64Array.from(kept, (i) => values[i] / n),
    combine(coordinates, m) {
      const scaled = new Float64Array(rank * m);
      for (let i = 0; i < m; i++) {
        for (let axis = 0; axis < rank; axis++)
          scaled[axis * m + i] = coordinates[i * rank + axis] / scales[axis];
      }
      const ofRows = new Float64Array(n * m);
      accumulateTransposed(ofRows, left, scaled, n, m, rank);
      const out = new Float64Array(m * dimension);
      accumulateTransposed(out, ofRows, centered, m, dimension, n);
      return out;
    },
  };
  return { dimension, axes, rows };
}

/** Eigenvalues of a symmetric matrix float64[size, size], and its eigenvectors as rows and as columns. */
function eigen(matrix: Float64Array, size: number) {
  const { values, vectors } = symmetricEigen(matrix, size);
  const vectorsTransposed = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) vectorsTransposed[j * size + i] = vectors[i * size + j];
  return { values, vectors, vectorsTransposed };
}
