import type { Engine } from '../engine/engine.js';
import type { LinearModel } from './linear-model.js';
import { accumulateTransposed, BLOCK_ROWS, forEachBlock, multiplyTransposed } from './matrix.js';
import { type Limits, minimize } from './minimize.js';
import type { PrincipalRows } from './principal-axes.js';
import { type LossSum, withSoftmaxLoss } from './softmax-loss.js';

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

const TOLERANCE = 1e-6;
const PLAIN: Limits = { tolerance: TOLERANCE, precision: 4 * Number.EPSILON, iterations: 1000 };
/** Values are single precision, and an iteration of a large problem is dear. */
const ON_ENGINE: Limits = { tolerance: TOLERANCE, precision: 2 ** -23, iterations: 150 };

/** Keeps the preconditioner finite where every row is classified with certainty. */
const LEAST_CURVATURE = 1e-6;

/**
 * Logistic regression with intercepts that are not penalised: minimises mean cross-entropy + λ/2 ‖W‖²
 * (scikit-learn's C is 1 / (n λ)). Returns the solution as a function of λ > 0; each starts from the one before,
 * so ask in order, largest first.
 *
 * The Hessian is about mean p (1 − p) times the covariance of x, plus λ. On the principal axes that is diagonal, and its
 * inverse is the preconditioner, so correlated features need no more passes over the data than others.
 *
 * The optimum is reached when no component of the gradient along the axes exceeds 1e-6; LacunaError is thrown when that
 * takes more than 1,000 iterations. All is double precision, but on an engine, which is for large problems: there loss and
 * gradient have relative errors of about 1e-7, a fit also ends when that hides whether the loss still falls, and 150 iterations
 * are the most.
 * @param rows those of the features
 * @param labels float64[n]: with one logit 1, 0 or NaN, whose row is left out; else 0 … logits − 1. Every class occurs.
 * @param width number of logits: one for yes or no, else one per class
 * @param engine computes the loss of several logits and its gradient
 */
export function logistic(
  { dimension, axes, rows }: PrincipalRows,
  labels: Float64Array,
  width: number,
  engine?: Engine,
): (lambda: number) => Promise<LogisticFit> {
  const rank = axes.variances.length;
  const columns = rank + 1;
  const occurrences = new Float64Array(Math.max(width, 2));
  for (const label of labels) if (!Number.isNaN(label)) occurrences[label]++;
  const n = occurrences.reduce((sum, count) => sum + count, 0);
  const frequency = occurrences.map((count) => count / n);
  const bias = width === 1 ? [Math.log(frequency[1] / frequency[0])] : frequency.map(Math.log);

  // Weights along the axes and intercept of each logit: [width, columns].
  let point: Float64Array = new Float64Array(width * columns);
  bias.forEach((value, k) => {
    point[k * columns + rank] = value;
  });

  const minimum = (lossSum: LossSum, lambda: number, limits: Limits) => {
    const curvature = new Float64Array(width); // at the point evaluated last
    const evaluate = async (at: Float64Array, gradient: Float64Array) => {
      gradient.fill(0);
      curvature.fill(0);
      const loss = await lossSum(at, gradient, curvature);
      let squares = 0;
      for (let i = 0; i < at.length; i++) {
        gradient[i] /= n;
        if (i % columns === rank) continue;
        squares += at[i] * at[i];
        gradient[i] += lambda * at[i];
      }
      return loss / n + (lambda / 2) * squares;
    };
    const precondition = (vector: Float64Array, out: Float64Array) => {
      for (let k = 0; k < width; k++) {
        const scale = Math.max(curvature[k] / n, LEAST_CURVATURE);
        const start = k * columns;
        for (let j = 0; j < rank; j++) {
          out[start + j] = vector[start + j] / (scale * axes.variances[j] + lambda);
        }
        out[start + rank] = vector[start + rank] / scale;
      }
    };
    return minimize({ evaluate, precondition }, point, limits);
  };

  const plainSum = plainLoss(rows, labels, width);

  return async (lambda) => {
    const solution = engine
      ? await withSoftmaxLoss(engine, { rows, labels, width }, (sum) => minimum(sum, lambda, ON_ENGINE))
      : await minimum(plainSum, lambda, PLAIN);
    point = solution.point;
    const along = new Float64Array(width * rank);
    for (let k = 0; k < width; k++) {
      along.set(point.subarray(k * columns, k * columns + rank), k * rank);
    }
    return {
      dimension,
      weights: axes.combine(along, width),
      bias: Float64Array.from({ length: width }, (_, k) => point[k * columns + rank]),
      loss: solution.value,
      iterations: solution.iterations,
    };
  };
}

/** The loss in double precision, block by block. */
function plainLoss(rows: Float64Array, labels: Float64Array, width: number): LossSum {
  const columns = rows.length / labels.length;
  const lossOf = width === 1 ? binaryCrossEntropy : crossEntropy;
  const logits = new Float64Array(BLOCK_ROWS * width);
  return (weights, gradient, curvature) => {
    let loss = 0;
    forEachBlock(rows, columns, (block, first, count) => {
      multiplyTransposed(logits, block, weights, count, width, columns);
      loss += lossOf(logits, labels.subarray(first, first + count), count, width, curvature);
      accumulateTransposed(gradient, logits, block, width, columns, count);
    });
    return loss;
  };
}
