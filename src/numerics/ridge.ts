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
    const weights = solveShifted(principal, lambda, moment);
    const shift = weights.reduce((sum, weight, j) => sum + weight * principal.mean[j], 0);
    return { dimension, weights, bias: Float64Array.of(yMean - shift) };
  };
}
