import type { LabelSpec } from '../scoring/labels.js';
import type { Probe } from './protocol.js';

/** Rows of zeros and ones, by the columns of their ones. */
export interface OneHotRows {
  /** int32[rows + 1]: where each row's columns begin. */
  readonly offsets: Int32Array;
  /** The columns of the ones, ascending in each row. */
  readonly columns: Int32Array;
}

/** Strengths of the L2 penalty λ, per record, strongest first. */
const REGULARIZATION = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6] as const;
/** The residual's norm, as a part of the right side's, at which the solver stops. */
const TOLERANCE = 1e-6;
const MOST_ITERATIONS = 1000;

/**
 * Ridge regression with an intercept that is not penalised, on one-hot features, for regression with labels complete:
 * minimises mean (y − w·x − b)² + λ ‖w‖² by conjugate gradients, O(ones) an iteration. One λ for all targets, chosen
 * on the validation part.
 */
export const oneHotRidge = function* ({ features, dimension, labels, count }, { targets }: LabelSpec) {
  const means = Float64Array.from({ length: targets }, (_, target) => {
    let sum = 0;
    for (let row = 0; row < count; row++) sum += labels[row * targets + target];
    return sum / count;
  });
  const columnMeans = new Float64Array(dimension);
  for (const column of features.columns) columnMeans[column] += 1 / count;
  const residuals = Array.from({ length: targets }, (_, target) =>
    Float64Array.from({ length: count }, (__, row) => labels[row * targets + target] - means[target]),
  );
  // Each solution starts from that of the stronger penalty before it.
  const weights = residuals.map(() => new Float64Array(dimension));
  for (const regularization of REGULARIZATION) {
    residuals.forEach((residual, target) => {
      solve(features, columnMeans, residual, regularization, weights[target]);
    });
    const models = weights.map((own, target) => ({
      weights: own.slice(),
      bias: means[target] - own.reduce((sum, weight, column) => sum + weight * columnMeans[column], 0),
    }));
    yield {
      chosen: { regularization },
      predict: (rows) => {
        const outputs = new Float64Array((rows.offsets.length - 1) * targets);
        models.forEach((model, target) => {
          products(rows, model.weights).forEach((product, row) => {
            outputs[row * targets + target] = product + model.bias;
          });
        });
        return outputs;
      },
    };
  }
} satisfies Probe<OneHotRows>;

/** X w, float64[rows]. */
function products({ offsets, columns }: OneHotRows, weights: Float64Array): Float64Array {
  const out = new Float64Array(offsets.length - 1);
  for (let row = 0; row < out.length; row++) {
    let sum = 0;
    for (let i = offsets[row]; i < offsets[row + 1]; i++) sum += weights[columns[i]];
    out[row] = sum;
  }
  return out;
}

/** Solves (Cᵀ C / n + λ I) w = Cᵀ y / n in place, where C is X with each column's mean taken off and y sums to 0. */
function solve(
  rows: OneHotRows,
  means: Float64Array,
  y: Float64Array,
  lambda: number,
  weights: Float64Array,
): void {
  const n = y.length;
  /** Cᵀ v / n of a v that sums to 0. */
  const transposed = (v: Float64Array) => {
    const out = new Float64Array(means.length);
    for (let row = 0; row < n; row++) {
      for (let i = rows.offsets[row]; i < rows.offsets[row + 1]; i++) out[rows.columns[i]] += v[row] / n;
    }
    return out;
  };
  const normal = (w: Float64Array) => {
    const v = products(rows, w);
    const shift = dot(means, w);
    const out = transposed(v.map((value) => value - shift));
    for (let j = 0; j < w.length; j++) out[j] += lambda * w[j];
    return out;
  };
  const right = transposed(y);
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
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
