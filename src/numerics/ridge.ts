import type { LinearModel } from './linear-model.js';
import { accumulateTransposed, multiplyTransposed } from './matrix.js';
import type { PrincipalRows } from './principal-axes.js';

/**
 * Ridge regression with an intercept that is not penalised: minimises mean (y − w·x − b)² + λ ‖w‖², in closed form
 * (scikit-learn's alpha is n λ). Returns the solution as a function of λ > 0, O(n r + r d) for r axes.
 * @param rows those of the features, which serve any number of targets
 * @param y float64[n]
 */
export function ridge(
  { dimension, axes, rows }: PrincipalRows,
  y: Float64Array,
): (lambda: number) => LinearModel {
  const n = y.length;
  const rank = axes.variances.length;
  const yMean = y.reduce((sum, value) => sum + value, 0) / n;
  // Σ (y − mean) · (coordinates, 1): the last is 0 but for rounding, and a shift of the coordinates changes nothing.
  const sums = new Float64Array(rank + 1);
  accumulateTransposed(
    sums,
    y.map((value) => value - yMean),
    rows,
    1,
    rank + 1,
    n,
  );
  return (lambda) => {
    const along = axes.variances.map((variance, i) => sums[i] / n / (variance + lambda));
    const weights = axes.combine(along, 1);
    const shift = new Float64Array(1);
    multiplyTransposed(shift, weights, axes.mean, 1, 1, dimension);
    return { dimension, weights, bias: Float64Array.of(yMean - shift[0]) };
  };
}
