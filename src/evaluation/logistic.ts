import type { LinearModel } from './linear-model.js';
import { accumulateTransposed, BLOCK_ROWS, forEachBlock, multiplyTransposed } from './matrix.js';
import { minimize } from './minimize.js';
import { type PrincipalAxes, solveShifted } from './ridge.js';

/**
 * Turns logits [count, width] into the loss's first derivatives in place, adds its second derivatives p (1 − p) to
 * `curvature` [width], and returns the summed loss. `labels` are those of the same rows.
 */
type Loss = (
  logits: Float64Array,
  labels: Float64Array,
  count: number,
  width: number,
  curvature: Float64Array,
) => number;

/** −log σ(±z): one logit per row, labels 0 and 1, or NaN, which costs nothing. */
const binaryCrossEntropy: Loss = (logits, labels, count, _, curvature) => {
  let loss = 0;
  for (let row = 0; row < count; row++) {
    if (Number.isNaN(labels[row])) {
      logits[row] = 0;
      continue;
    }
    const z = logits[row];
    const small = Math.exp(-Math.abs(z));
    loss += Math.log1p(small) + Math.max(z, 0) - labels[row] * z;
    curvature[0] += small / (1 + small) ** 2;
    logits[row] = (z > 0 ? 1 : small) / (1 + small) - labels[row];
  }
  return loss;
};

/** −log softmax(z)[label]: one logit per class. */
const crossEntropy: Loss = (logits, labels, count, width, curvature) => {
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const start = row * width;
    let maximum = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + width; i++) maximum = Math.max(maximum, logits[i]);
    const own = start + labels[row];
    loss += maximum - logits[own];
    let sum = 0;
    for (let i = start; i < start + width; i++) {
      logits[i] = Math.exp(logits[i] - maximum);
      sum += logits[i];
    }
    loss += Math.log(sum);
    for (let k = 0; k < width; k++) {
      const p = logits[start + k] / sum;
      logits[start + k] = p;
      curvature[k] += p * (1 - p);
    }
    logits[own] -= 1;
  }
  return loss;
};

/** A fit, and what it cost to find. */
export interface LogisticFit extends LinearModel {
  /** mean cross-entropy + λ/2 ‖W‖² */
  readonly loss: number;
  readonly iterations: number;
}

/** Largest component of the gradient at the solution. */
const TOLERANCE = 1e-6;

/** Keeps the preconditioner finite where every row is classified with certainty. */
const LEAST_CURVATURE = 1e-6;

/**
 * Logistic regression with intercepts that are not penalised: minimises mean cross-entropy + λ/2 ‖W‖²
 * (scikit-learn's C is 1 / (n λ)). Returns the solution as a function of λ > 0; each starts from the one before,
 * so ask in order, largest first.
 *
 * The Hessian is about mean p (1 − p) times the covariance of x, plus λ. Its inverse costs little on the principal axes
 * and is the preconditioner, so correlated features need no more passes over the data than others.
 * @param x float32[n, d]
 * @param labels float64[n]: with one logit 1, 0 or NaN, whose row is left out; else 0 … logits − 1. Every class occurs.
 * @param width number of logits: one for yes or no, else one per class
 * @param principal axes of x, or of rows like them
 */
export function logistic(
  x: Float32Array,
  labels: Float64Array,
  width: number,
  principal: PrincipalAxes,
): (lambda: number) => LogisticFit {
  const { dimension } = principal;
  const lossOf = width === 1 ? binaryCrossEntropy : crossEntropy;
  const weightCount = width * dimension;

  const occurrences = new Float64Array(Math.max(width, 2));
  for (const label of labels) if (!Number.isNaN(label)) occurrences[label]++;
  const n = occurrences.reduce((sum, count) => sum + count, 0);
  const frequency = occurrences.map((count) => count / n);
  const bias = width === 1 ? [Math.log(frequency[1] / frequency[0])] : frequency.map(Math.log);

  // One vector: weights [width, dimension], then bias [width].
  let point: Float64Array = new Float64Array(weightCount + width);
  point.set(bias, weightCount);
  const logits = new Float64Array(BLOCK_ROWS * width);
  const curvature = new Float64Array(width); // at the point evaluated last
  const ones = new Float64Array(BLOCK_ROWS).fill(1);

  const evaluate = (lambda: number, at: Float64Array, gradient: Float64Array): number => {
    const weights = at.subarray(0, weightCount);
    const intercepts = at.subarray(weightCount);
    const weightGradient = gradient.subarray(0, weightCount);
    const biasGradient = gradient.subarray(weightCount);
    gradient.fill(0);
    curvature.fill(0);
    let loss = 0;
    forEachBlock(x, dimension, (block, first, count) => {
      multiplyTransposed(logits, block, weights, count, width, dimension);
      for (let i = 0; i < count * width; i++) logits[i] += intercepts[i % width];
      loss += lossOf(logits, labels.subarray(first, first + count), count, width, curvature);
      accumulateTransposed(weightGradient, logits, block, width, dimension, count);
      accumulateTransposed(biasGradient, ones, logits, 1, width, count);
    });
    let squares = 0;
    for (let i = 0; i < weightCount; i++) {
      squares += weights[i] * weights[i];
      gradient[i] = gradient[i] / n + lambda * weights[i];
    }
    for (let k = 0; k < width; k++) biasGradient[k] /= n;
    return loss / n + (lambda / 2) * squares;
  };

  const precondition = (lambda: number, vector: Float64Array, out: Float64Array): void => {
    const scales = curvature.map((sum) => Math.max(sum / n, LEAST_CURVATURE));
    solveShifted(principal, scales, lambda, vector, out);
    for (let k = 0; k < width; k++) out[weightCount + k] = vector[weightCount + k] / scales[k];
  };

  return (lambda) => {
    const solution = minimize(
      {
        evaluate: (at, gradient) => evaluate(lambda, at, gradient),
        precondition: (vector, out) => precondition(lambda, vector, out),
      },
      point,
      TOLERANCE,
    );
    point = solution.point;
    return {
      dimension,
      weights: point.slice(0, weightCount),
      bias: point.slice(weightCount),
      loss: solution.value,
      iterations: solution.iterations,
    };
  };
}
