import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { LinearModel } from './linear-model.js';
import { accumulateTransposed, forEachBlock, multiplyTransposed } from './matrix.js';

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

/**
 * out[k] = (scales[k] · covariance + shift · I)⁻¹ vectors[k], O(d²) each for any scale and shift.
 * @param vectors float64[scales.length, dimension]
 * @param out float64[scales.length, dimension]
 */
export function solveShifted(
  { dimension, variances, axes, axesTransposed }: PrincipalAxes,
  scales: Float64Array,
  shift: number,
  vectors: Float64Array,
  out: Float64Array,
): void {
  const count = scales.length;
  const along = new Float64Array(count * dimension);
  multiplyTransposed(along, vectors, axes, count, dimension, dimension);
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < dimension; i++) along[k * dimension + i] /= scales[k] * variances[i] + shift;
  }
  multiplyTransposed(out, along, axesTransposed, count, dimension, dimension);
}

/**
 * Ridge regression with an intercept that is not penalised: minimises mean (y − w·x − b)² + λ ‖w‖², in closed form
 * (scikit-learn's alpha is n λ). Returns the solution as a function of λ > 0: the data are read once for all of them.
 * @param x float32[n, dimension]
 * @param y float64[n]
 */
export function ridge(x: Float32Array, y: Float64Array, dimension: number): (lambda: number) => LinearModel {
  const principal = principalAxes(x, dimension);
  const yMean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const yCentered = y.map((value) => value - yMean);
  const moment = new Float64Array(dimension);
  forEachBlock(x, dimension, (block, first, count) => {
    accumulateTransposed(moment, yCentered.subarray(first), block, 1, dimension, count);
  });
  for (let j = 0; j < dimension; j++) moment[j] /= y.length;
  return (lambda) => {
    const weights = new Float64Array(dimension);
    solveShifted(principal, Float64Array.of(1), lambda, moment, weights);
    const shift = weights.reduce((sum, weight, j) => sum + weight * principal.mean[j], 0);
    return { dimension, weights, bias: Float64Array.of(yMean - shift) };
  };
}
