import { meanOverTargets, recordsOfClasses, type TransferabilityScore } from './transferability.js';

/** The neighbour whose distance is taken. */
const NEIGHBOR = 3;

/**
 * TMI (Xu & Kang, KDD 2023): the entropy of the features within a class, H(Z | Y) = Σ share of the class · H of its features,
 * by Kozachenko and Leonenko's estimate from the distance to the third nearest neighbour in the maximum norm:
 * ψ(n) − ψ(3) + d/n · Σ ln(2 · distance). Its authors found that encoders whose classes stay spread transfer better.
 *
 * Departures: features are scaled to a mean variance of 1, since entropy grows with their unit; records that are equal count
 * as 10⁻⁶ apart instead of 1; classes of at most three records are left out. n² · d / 2 differences.
 */
export const intraClassEntropy: TransferabilityScore = {
  description: 'TMI: the entropy of the features within a class, nats',
  tasks: ['binary', 'multiclass', 'multilabel'],
  score({ train, dimension, spec }) {
    const features = scaled(train.features, dimension);
    return meanOverTargets(spec, (target) => {
      const classes = recordsOfClasses(train, spec, target).filter(({ length }) => length > NEIGHBOR);
      const all = classes.reduce((sum, { length }) => sum + length, 0);
      return classes.length === 0
        ? Number.NaN
        : classes.reduce((sum, rows) => sum + (rows.length / all) * entropy(features, dimension, rows), 0);
    });
  },
};

/** Rows at mean 0 with variances whose mean over the columns is 1. */
function scaled(features: Float32Array, dimension: number): Float64Array {
  const n = features.length / dimension;
  const means = new Float64Array(dimension);
  features.forEach((value, i) => {
    means[i % dimension] += value / n;
  });
  const centred = Float64Array.from(features, (value, i) => value - means[i % dimension]);
  const variance = centred.reduce((sum, value) => sum + value ** 2, 0) / centred.length;
  return variance > 0 ? centred.map((value) => value / Math.sqrt(variance)) : centred;
}

const APART = 1e-6;

function entropy(features: Float64Array, dimension: number, rows: readonly number[]): number {
  const n = rows.length;
  // Of each record the distances to its nearest, ascending.
  const nearest = rows.map(() => new Float64Array(NEIGHBOR).fill(Number.POSITIVE_INFINITY));
  const keep = (own: Float64Array, distance: number) => {
    let slot = NEIGHBOR - 1;
    if (!(distance < own[slot])) return;
    for (; slot > 0 && distance < own[slot - 1]; slot--) own[slot] = own[slot - 1];
    own[slot] = distance;
  };
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < a; b++) {
      const [from, to] = [rows[a] * dimension, rows[b] * dimension];
      let distance = 0;
      for (let j = 0; j < dimension; j++) {
        const difference = Math.abs(features[from + j] - features[to + j]);
        if (difference > distance) distance = difference;
      }
      keep(nearest[a], distance);
      keep(nearest[b], distance);
    }
  }
  const logs = nearest.reduce((sum, own) => sum + Math.log(2 * Math.max(own[NEIGHBOR - 1], APART)), 0);
  return harmonic(n) - harmonic(NEIGHBOR) + (dimension / n) * logs;
}

/** ψ(n) + γ = 1 + 1/2 + … + 1/(n − 1) */
function harmonic(n: number): number {
  let sum = 0;
  for (let i = 1; i < n; i++) sum += 1 / i;
  return sum;
}
