import { discriminantScore } from './fisher-discriminant.js';
import { logEvidenceOf } from './log-evidence.js';
import {
  type FrozenFeatures,
  meanOverTargets,
  recordsOfClasses,
  type TransferabilityScore,
} from './transferability.js';

/** Radius of a class in deviations, seconds of a step, and the part of the first movement below which it ends. */
const [RADIUS, STEP, REST] = [0.6, 0.1, 0.5];
const STEPS = 6;

/**
 * Features after a descent of potential energy (PED; Li et al., ICCV 2023): classes are balls around their means with a radius
 * of 0.6 deviations; those that overlap push each other apart by ½ t² · overlap in each of at most six steps, as
 * fine-tuning would, until a step moves them by half of the first. Another score is then taken of where they are.
 *
 * Departure: features are standardised by the training records of the task, not by those of a general data set.
 * @returns float64[n, dimension]
 * @internal
 */
export function descended(
  features: ArrayLike<number>,
  dimension: number,
  classes: readonly (readonly number[])[],
): Float64Array {
  const n = features.length / dimension;
  const [center, spread] = columnMoments(features, dimension, [...Array(n).keys()]);
  const scale = spread.map((variance) => Math.max(Math.sqrt(variance), 1e-3));
  let places = Float64Array.from(
    features,
    (value, i) => (value - center[i % dimension]) / scale[i % dimension],
  );
  let first = 0;
  for (let step = 0; step < STEPS; step++) {
    const moves = movement(places, dimension, classes);
    const size = moves.reduce((sum, move) => sum + move.reduce((all, value) => all + Math.abs(value), 0), 0);
    if (step === 0) first = size;
    if (!(size / first > REST)) break;
    places = Float64Array.from(places);
    classes.forEach((rows, label) => {
      for (const row of rows)
        for (let j = 0; j < dimension; j++) places[row * dimension + j] += moves[label][j];
    });
  }
  return places.map((value, i) => value * scale[i % dimension] + center[i % dimension]);
}

/** How the classes push each other in one step: float64[dimension] for each. */
function movement(places: Float64Array, dimension: number, classes: readonly (readonly number[])[]) {
  const balls = classes.map((rows) => {
    const [mean, variances] = columnMoments(places, dimension, rows);
    return { mean, radius: RADIUS * Math.sqrt(variances.reduce((sum, variance) => sum + variance, 0)) };
  });
  const moves = balls.map(() => new Float64Array(dimension));
  for (let a = 0; a < balls.length; a++)
    for (let b = 0; b < a; b++) {
      const apart = balls[a].mean.map((value, j) => value - balls[b].mean[j]);
      const distance = Math.sqrt(apart.reduce((sum, value) => sum + value ** 2, 0));
      const overlap = Math.max(balls[a].radius + balls[b].radius - distance, 0);
      if (distance === 0) continue;
      const push = Math.min(0.5 * STEP ** 2 * overlap, overlap) / distance;
      for (let j = 0; j < dimension; j++) {
        moves[a][j] += push * apart[j];
        moves[b][j] -= push * apart[j];
      }
    }
  return moves;
}

/** Mean and variance of each column over some rows. */
function columnMoments(
  values: ArrayLike<number>,
  dimension: number,
  rows: readonly number[],
): [mean: Float64Array, variance: Float64Array] {
  const mean = new Float64Array(dimension);
  const variance = new Float64Array(dimension);
  for (const row of rows)
    for (let j = 0; j < dimension; j++) mean[j] += values[row * dimension + j] / rows.length;
  for (const row of rows)
    for (let j = 0; j < dimension; j++)
      variance[j] += (values[row * dimension + j] - mean[j]) ** 2 / rows.length;
  return [mean, variance];
}

const afterDescent = (
  description: string,
  scored: (
    features: Float64Array,
    frozen: FrozenFeatures,
    classes: readonly (readonly number[])[],
    target: number,
  ) => number,
): TransferabilityScore => ({
  description,
  tasks: ['binary', 'multiclass', 'multilabel'],
  score: (frozen) =>
    meanOverTargets(frozen.spec, (target) => {
      const { train, dimension, spec } = frozen;
      const classes = recordsOfClasses(train, spec, target);
      if (classes.length < 2) return Number.NaN;
      return scored(descended(train.features, dimension, classes), frozen, classes, target);
    }),
});

/** {@link logEvidenceOf} after the descent. */
export const evidenceAfterDescent = afterDescent(
  'PED: LogME after the classes have pushed each other apart',
  (features, { train, dimension, spec }, _, target) => {
    const { targets, classes } = spec;
    const labels = train.labels.filter((_, i) => i % targets === target);
    return logEvidenceOf({ features, labels }, dimension, {
      task: spec.task,
      targets: 1,
      classes: [classes[target]],
    });
  },
);

/** {@link discriminantScore} after the descent. */
export const discriminantAfterDescent = afterDescent(
  'PED: SFDA after the classes have pushed each other apart',
  (features, { dimension }, classes) => discriminantScore(features, dimension, classes),
);
