import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { LinearModel } from './linear-model.js';
import { accumulateTransposed, forEachBlock, multiplyTransposed } from './matrix.js';
import { type PrincipalAxes, principalAxes } from './principal-axes.js';

/**
 * (covariance + shift · I)⁻¹ vector, O(d²) for any shift.
 * @internal
 */
export function solveShifted(
  { dimension, variances, axes, axesTransposed }: PrincipalAxes,
  shift: number,
  vector: Float64Array,
): Float64Array {
  const along = new Float64Array(dimension);
  multiplyTransposed(along, vector, axes, 1, dimension, dimension);
  for (let i = 0; i < dimension; i++) along[i] /= variances[i] + shift;
  const out = new Float64Array(dimension);
  multiplyTransposed(out, along, axesTransposed, 1, dimension, dimension);
  return out;
}

/**
 * Ridge regression with an intercept that is not penalised: minimises mean (y − w·x − b)² + λ ‖w‖², in closed form
 * (scikit-learn's alpha is n λ). Returns the solution as a function of λ > 0: the data are read once for all of them. With fewer
 * rows than features it is found in the space of the rows, O(n² d + n³), else of the features, O(n d² + d³).
 * @param x float32[n, dimension]
 * @param y float64[n]
 */
export function ridge(x: Float32Array, y: Float64Array, dimension: number): (lambda: number) => LinearModel {
  if (y.length < dimension) return dualRidge(x, y, dimension);
  const principal = principalAxes(x, dimension);
  const yMean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const yCentered = y.map((value) => value - yMean);
  const moment = new Float64Array(dimension);
  forEachBlock(x, dimension, (block, first, count) => {
    accumulateTransposed(moment, yCentered.subarray(first), block, 1, dimension, count);
  });
  for (let j = 0; j < dimension; j++) moment[j] /= y.length;
  return (lambda) => {
    const weights = solveShifted(principal, lambda, moment);
    const shift = weights.reduce((sum, weight, j) => sum + weight * principal.mean[j], 0);
    return { dimension, weights, bias: Float64Array.of(yMean - shift) };
  };
}

/** w = Cᵀ (C Cᵀ + n λ I)⁻¹ (y − mean), where C is x with each column's mean taken off. */
function dualRidge(x: Float32Array, y: Float64Array, dimension: number): (lambda: number) => LinearModel {
  const n = y.length;
  const mean = new Float64Array(dimension);
  for (let i = 0; i < x.length; i++) mean[i % dimension] += x[i] / n;
  const centered = Float64Array.from(x, (value, i) => value - mean[i % dimension]);
  const products = new Float64Array(n * n);
  multiplyTransposed(products, centered, centered, n, n, dimension);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(
    Matrix.from1DArray(n, n, products),
    { assumeSymmetric: true },
  );
  const axes = Float64Array.from(eigenvectorMatrix.transpose().to1DArray());
  const axesTransposed = Float64Array.from(eigenvectorMatrix.to1DArray());
  const yMean = y.reduce((sum, value) => sum + value, 0) / n;
  const along = new Float64Array(n);
  const yCentered = y.map((value) => value - yMean);
  multiplyTransposed(along, yCentered, axes, 1, n, n);
  return (lambda) => {
    const shrunk = along.map((value, i) => value / (Math.max(realEigenvalues[i], 0) + n * lambda));
    const ofRows = new Float64Array(n);
    multiplyTransposed(ofRows, shrunk, axesTransposed, 1, n, n);
    const weights = new Float64Array(dimension);
    accumulateTransposed(weights, ofRows, centered, 1, dimension, n);
    const shift = weights.reduce((sum, weight, j) => sum + weight * mean[j], 0);
    return { dimension, weights, bias: Float64Array.of(yMean - shift) };
  };
}
