import { Matrix } from 'ml-matrix';
import type { LabelSpec } from '../scoring/labels.js';
import { symmetricEigen } from '../tensor/symmetric-eigen.js';
import { type LabelledFeatures, meanOverTargets, type TransferabilityScore } from './transferability.js';

/** Rounds of the fixed point, and the change at which it stands. */
const ROUNDS = 11;
const STANDS = 1e-3;

/** Eigenvalues below this part of the largest are of directions that the features do not have. */
const RANK = 1e-10;

/**
 * LogME, the logarithm of the maximum evidence (You, Liu, Wang & Long, ICML 2021): for y = F w + noise with w of precision α
 * and noise of precision β, max over α and β of log p(y | F) / n, by the fixed point of You et al. (JMLR 2022). Classes are
 * one target each, 1 for its records and 0 for others; the score is the mean over targets.
 *
 * Departures: numbers are standardised, so that their unit makes no difference; the evidence counts α for as many
 * directions as the features have. O(n d² + d³).
 */
export const logEvidence: TransferabilityScore = {
  description: 'LogME: the evidence of a linear model of the features, nats a record',
  score: ({ train, dimension, spec }) => logEvidenceOf(train, dimension, spec),
};

/** {@link logEvidence} of labelled features float32[n, dimension] or float64. */
export function logEvidenceOf(
  { features, labels }: { readonly features: ArrayLike<number> } & Pick<LabelledFeatures, 'labels'>,
  dimension: number,
  spec: Pick<LabelSpec, 'task' | 'targets' | 'classes'>,
): number {
  return meanOverTargets(spec, (target) => {
    const rows: number[] = [];
    for (let row = 0; row < labels.length / spec.targets; row++)
      if (!Number.isNaN(labels[row * spec.targets + target])) rows.push(row);
    const values = rows.map((row) => labels[row * spec.targets + target]);
    const decomposed = decompose(features, dimension, rows);
    if (spec.task === 'regression') return evidence(decomposed, standardised(values));
    const classes = spec.classes[target].length;
    if (new Set(values).size < 2) return Number.NaN;
    let sum = 0;
    for (let label = 0; label < classes; label++)
      sum += evidence(
        decomposed,
        values.map((value) => (value === label ? 1 : 0)),
      );
    return sum / classes;
  });
}

function standardised(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return values.map((value) => (value - mean) / deviation);
}

/** Features F[rows] with FᵀF = Σ squares[i] · axisᵢ axisᵢᵀ, of the directions that they have. */
interface Decomposed {
  readonly squares: readonly number[];
  /** uᵢᵀ y for the left singular vectors uᵢ = F axisᵢ / √squares[i]. */
  readonly project: (y: readonly number[]) => number[];
}

function decompose(features: ArrayLike<number>, dimension: number, rows: readonly number[]): Decomposed {
  const moments = Matrix.zeros(dimension, dimension);
  for (const row of rows)
    for (let i = 0; i < dimension; i++) {
      const value = features[row * dimension + i];
      for (let j = 0; j <= i; j++)
        moments.set(i, j, moments.get(i, j) + value * features[row * dimension + j]);
    }
  for (let i = 0; i < dimension; i++) for (let j = 0; j < i; j++) moments.set(j, i, moments.get(i, j));
  const { values, vectors } = symmetricEigen(Float64Array.from(moments.to1DArray()), dimension);
  const largest = Math.max(...values);
  const kept = Array.from(values.keys()).filter((i) => values[i] > RANK * largest);
  return {
    squares: kept.map((i) => values[i]),
    project(y) {
      const products = new Float64Array(dimension);
      rows.forEach((row, place) => {
        for (let j = 0; j < dimension; j++) products[j] += y[place] * features[row * dimension + j];
      });
      return kept.map((i) => {
        let sum = 0;
        for (let j = 0; j < dimension; j++) sum += products[j] * vectors[i * dimension + j];
        return sum / Math.sqrt(values[i]);
      });
    },
  };
}

/** log p(y | F) / n at the α and β that make it largest. */
function evidence({ squares, project }: Decomposed, y: readonly number[]): number {
  const n = y.length;
  const seen = project(y).map((value) => value ** 2);
  // What no direction of the features can tell of y.
  const beyond = Math.max(
    y.reduce((sum, value) => sum + value ** 2, 0) - seen.reduce((sum, value) => sum + value, 0),
    0,
  );
  let [alpha, beta] = [1, 1];
  let [weights, residual] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const ratio = alpha / beta;
    let [used] = [0];
    [weights, residual] = [0, beyond];
    squares.forEach((square, i) => {
      used += square / (square + ratio);
      weights += (square * seen[i]) / (ratio + square) ** 2;
      residual += seen[i] / (1 + square / ratio) ** 2;
    });
    alpha = used / (weights + 1e-5);
    beta = (n - used) / (residual + 1e-5);
    if (Math.abs(alpha / beta - ratio) <= STANDS * ratio) break;
  }
  const curvature = squares.reduce((sum, square) => sum + Math.log(alpha + beta * square), 0);
  const logs =
    squares.length * Math.log(alpha) + n * Math.log(beta) - curvature - beta * residual - alpha * weights;
  return (logs - n * Math.log(2 * Math.PI)) / (2 * n);
}
