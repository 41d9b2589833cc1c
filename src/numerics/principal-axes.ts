import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { accumulateTransposed, BLOCK_ROWS, forEachBlock, multiplyTransposed } from './matrix.js';

/** Mean and covariance (over n) of the rows of a matrix, the covariance as Σᵢ variances[i] · axes[i] axes[i]ᵀ. */
export interface PrincipalAxes {
  readonly dimension: number;
  readonly mean: Float64Array;
  readonly variances: Float64Array;
  /** float64[dimension, dimension], one orthonormal axis a row */
  readonly axes: Float64Array;
  /** The same, one axis a column. */
  readonly axesTransposed: Float64Array;
}

/** Principal axes of x float32[n, dimension], whose columns should not be far from mean 0. O(n d² + d³). */
export function principalAxes(x: Float32Array, dimension: number): PrincipalAxes {
  const n = x.length / dimension;
  const mean = new Float64Array(dimension);
  const moments = new Float64Array(dimension * dimension);
  const ones = new Float64Array(n).fill(1);
  forEachBlock(x, dimension, (block, _, count) => {
    accumulateTransposed(mean, ones, block, 1, dimension, count);
    accumulateTransposed(moments, block, block, dimension, dimension, count);
  });
  for (let j = 0; j < dimension; j++) mean[j] /= n;
  const covariance = new Matrix(dimension, dimension);
  for (let i = 0; i < dimension; i++) {
    for (let j = 0; j < dimension; j++) {
      covariance.set(i, j, moments[i * dimension + j] / n - mean[i] * mean[j]);
    }
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance, {
    assumeSymmetric: true,
  });
  return {
    dimension,
    mean,
    variances: Float64Array.from(realEigenvalues, (value) => Math.max(value, 0)),
    axes: Float64Array.from(eigenvectorMatrix.transpose().to1DArray()),
    axesTransposed: Float64Array.from(eigenvectorMatrix.to1DArray()),
  };
}

/** Rows of a matrix in the coordinates of their principal axes, which are uncorrelated. */
export interface PrincipalRows {
  readonly dimension: number;
  readonly axes: PrincipalAxes;
  /** float64[n, dimension + 1]: coordinates, not centred, then a 1 that the intercept is the weight of. */
  readonly rows: Float64Array;
}

/** Rows x float32[n, dimension] in the coordinates of their principal axes. O(n d² + d³). */
export function principalRows(x: Float32Array, dimension: number): PrincipalRows {
  const axes = principalAxes(x, dimension);
  const columns = dimension + 1;
  const rows = new Float64Array((x.length / dimension) * columns).fill(1);
  const coordinates = new Float64Array(BLOCK_ROWS * dimension);
  forEachBlock(x, dimension, (block, first, count) => {
    multiplyTransposed(coordinates, block, axes.axes, count, dimension, dimension);
    for (let row = 0; row < count; row++) {
      rows.set(coordinates.subarray(row * dimension, (row + 1) * dimension), (first + row) * columns);
    }
  });
  return { dimension, axes, rows };
}
