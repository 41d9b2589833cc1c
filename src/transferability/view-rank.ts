import { Matrix } from 'ml-matrix';
import { effectiveRank } from '../learning/representation-measures.js';
import { type SymmetricEigen, symmetricEigen } from '../tensor/symmetric-eigen.js';
import type { TransferabilityScore } from './transferability.js';

/** RankMe, of the training records: see {@link effectiveRank}. */
export const rankMe: TransferabilityScore = {
  description: 'RankMe: the effective rank of the features, without labels',
  score: ({ train, dimension }) => effectiveRank(train.features, dimension),
};

/** Added to the variance within records, so that it can be divided by. */
const LEAST_VARIANCE = 1e-4;

/**
 * LiDAR (Thilak et al., ICLR 2024): the effective rank, exp of the entropy of the eigenvalues as shares of their sum, of
 * W^(−1/2) B W^(−1/2), where B is the covariance of the means of records over views, and W that of views around their record's mean.
 * Departure: views hide a fifth of the tokens.
 */
export const lidar: TransferabilityScore = {
  description: 'LiDAR: in how many directions records differ more than views of one, without labels',
  async score({ views, dimension }) {
    return discriminantRank(await views(), dimension);
  },
};

/** {@link lidar} of views float32[n, dimension] of the same n records. @internal */
export function discriminantRank(views: readonly Float32Array[], dimension: number): number {
  const n = views[0].length / dimension;
  const means = new Matrix(n, dimension);
  for (const view of views)
    for (let i = 0; i < view.length; i++) {
      const [row, j] = [Math.floor(i / dimension), i % dimension];
      means.set(row, j, means.get(row, j) + view[i] / views.length);
    }
  const centre = means.mean('column');
  const between = covariance(n, dimension, (row, j) => means.get(row, j) - centre[j]);
  const within = covariance(
    n * views.length,
    dimension,
    (row, j) => views[Math.floor(row / n)][(row % n) * dimension + j] - means.get(row % n, j),
  ).add(Matrix.eye(dimension).mul(LEAST_VARIANCE));
  const parts = eigenOf(within);
  const vectors = Matrix.from1DArray(dimension, dimension, parts.vectors);
  const whitening = vectors
    .transpose()
    .mmul(Matrix.diag(Array.from(parts.values, (value) => 1 / Math.sqrt(value))))
    .mmul(vectors);
  const discriminant = whitening.mmul(between).mmul(whitening);
  const { values } = eigenOf(discriminant);
  const sum = values.reduce((total, value) => total + Math.max(value, 0), 0);
  let entropy = 0;
  for (const value of values) if (value > 0) entropy -= (value / sum) * Math.log(value / sum);
  return Math.exp(entropy);
}

const eigenOf = (symmetric: Matrix): SymmetricEigen =>
  symmetricEigen(Float64Array.from(symmetric.to1DArray()), symmetric.rows);

function covariance(count: number, dimension: number, at: (row: number, j: number) => number): Matrix {
  const rows = new Matrix(count, dimension);
  for (let row = 0; row < count; row++) for (let j = 0; j < dimension; j++) rows.set(row, j, at(row, j));
  return rows.transpose().mmul(rows).div(count);
}
