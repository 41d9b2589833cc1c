import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { softmax } from '../numerics/softmax.js';
import { symmetricEigen } from '../tensor/symmetric-eigen.js';
import { meanOverTargets, recordsOfClasses, type TransferabilityScore } from './transferability.js';

/**
 * SFDA, self-challenging Fisher discriminant analysis (Shao et al., ECCV 2022): the mean probability of the right class
 * by a discriminant that was fitted after each record had been drawn toward the means of the other classes, the more
 * the less sure the first discriminant was of it. The covariance within classes is shrunk by exp(−5 · its largest
 * eigenvalue). O(n d² + d³).
 */
export const fisherDiscriminant: TransferabilityScore = {
  description: 'SFDA: the mean probability of the right class by a Fisher discriminant that was made harder',
  tasks: ['binary', 'multiclass', 'multilabel'],
  score: ({ train, dimension, spec }) =>
    meanOverTargets(spec, (target) =>
      discriminantScore(train.features, dimension, recordsOfClasses(train, spec, target)),
    ),
};

/** The score of features float[n, dimension] whose classes are given by their rows; NaN of fewer than two classes. */
export function discriminantScore(
  features: ArrayLike<number>,
  dimension: number,
  classes: readonly (readonly number[])[],
): number {
  if (classes.length < 2) return Number.NaN;
  const rows = classes.flatMap((own, label) =>
    own.map((row) => ({
      label,
      x: Float64Array.from({ length: dimension }, (_, j) => features[row * dimension + j]),
    })),
  );
  const first = discriminant(rows, classes.length);
  const means = classMeans(rows, classes.length, dimension);
  const harder = rows.map(({ label, x }) => {
    // Its authors take the softmax of the probabilities, which softens them.
    const sure = softmax(first.probabilities(x))[label];
    return { label, x: x.map((value, j) => sure * value + (1 - sure) * meanOfOthers(means, label, j)) };
  });
  const second = discriminant(harder, classes.length, first.shrinkage);
  return harder.reduce((sum, { label, x }) => sum + second.probabilities(x)[label], 0) / harder.length;
}

interface Row {
  readonly label: number;
  readonly x: Float64Array;
}

function classMeans(rows: readonly Row[], classes: number, dimension: number): Float64Array[] {
  const means = Array.from({ length: classes }, () => new Float64Array(dimension));
  const counts = new Float64Array(classes);
  for (const { label, x } of rows) {
    counts[label]++;
    x.forEach((value, j) => {
      means[label][j] += value;
    });
  }
  return means.map((mean, label) => mean.map((value) => value / counts[label]));
}

const meanOfOthers = (means: readonly Float64Array[], label: number, j: number) =>
  (means.reduce((sum, mean) => sum + mean[j], 0) - means[label][j]) / (means.length - 1);

/** Linear discriminant analysis with a covariance W within classes: log πc + xᵀ W⁻¹ μc − ½ μcᵀ W⁻¹ μc. */
function discriminant(rows: readonly Row[], classes: number, given?: number) {
  const dimension = rows[0].x.length;
  const means = classMeans(rows, classes, dimension);
  const within = Matrix.zeros(dimension, dimension);
  const shares = new Float64Array(classes);
  const centred = new Float64Array(dimension);
  for (const { label, x } of rows) {
    shares[label] += 1 / rows.length;
    for (let j = 0; j < dimension; j++) centred[j] = x[j] - means[label][j];
    for (let i = 0; i < dimension; i++)
      for (let j = 0; j <= i; j++)
        within.set(i, j, within.get(i, j) + (centred[i] * centred[j]) / rows.length);
  }
  for (let i = 0; i < dimension; i++) for (let j = 0; j < i; j++) within.set(j, i, within.get(i, j));
  const shrinkage = given ?? Math.max(Math.exp(-5 * largestEigenvalue(within)), 1e-10);
  const level = (shrinkage * within.trace()) / dimension;
  const shrunk = Matrix.mul(within, 1 - shrinkage).add(Matrix.eye(dimension).mul(Math.max(level, 1e-12)));
  const columns = new Matrix(means.map((mean) => Array.from(mean))).transpose();
  const weights = new CholeskyDecomposition(shrunk).solve(columns).transpose().to2DArray();
  const offsets = weights.map((own, label) => Math.log(shares[label]) - dot(own, means[label]) / 2);
  return {
    shrinkage,
    probabilities: (x: Float64Array) => softmax(weights.map((own, label) => dot(own, x) + offsets[label])),
  };
}

const largestEigenvalue = (symmetric: Matrix) =>
  Math.max(...symmetricEigen(Float64Array.from(symmetric.to1DArray()), symmetric.rows).values);

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
