/** Scores of frozen features that say how well an encoder would do on a task, without training it. */
import type { Engine } from '../engine/engine.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { MetricName, Task } from '../scoring/metrics.js';

/** Labelled records of one part as an encoder embeds them. */
export interface LabelledFeatures {
  /** float32[n, dimension] */
  readonly features: Float32Array;
  /** float64[n, targets]; NaN is missing. */
  readonly labels: Float64Array;
}

/** What a score is given. No test label is among it. */
export interface FrozenFeatures {
  readonly train: LabelledFeatures;
  /** For scores that fit a predictor. */
  readonly valid: LabelledFeatures;
  readonly dimension: number;
  readonly spec: LabelSpec;
  /** Of the predictors. */
  readonly metric: MetricName;
  /** float32[n, dimension] of training records, one for each view that hides other tokens of the same records. */
  readonly views: () => Promise<readonly Float32Array[]>;
  readonly engine?: Engine;
}

/** One score; a larger one promises more. Each is one file. */
export interface TransferabilityScore {
  /** For people, in a sentence. */
  readonly description: string;
  /** The tasks in which it has a meaning; all by default. */
  readonly tasks?: readonly Task[];
  /** NaN where these features have none, such as of a single class. */
  score(frozen: FrozenFeatures): number | Promise<number>;
}

/** The places of the records of each class of a target; of several yes/no targets this is asked for each. */
export function recordsOfClasses(
  { labels }: Pick<LabelledFeatures, 'labels'>,
  { targets }: Pick<LabelSpec, 'targets'>,
  target = 0,
): number[][] {
  const classes = new Map<number, number[]>();
  for (let row = 0; row < labels.length / targets; row++) {
    const label = labels[row * targets + target];
    if (Number.isNaN(label)) continue;
    const records = classes.get(label);
    if (records) records.push(row);
    else classes.set(label, [row]);
  }
  return [...classes].sort(([a], [b]) => a - b).map(([, records]) => records);
}

/** The mean over the targets of a score for each, those left out for which it is not a number. */
export function meanOverTargets(
  { targets }: Pick<LabelSpec, 'targets'>,
  score: (target: number) => number,
): number {
  const scores = Array.from({ length: targets }, (_, target) => score(target)).filter(Number.isFinite);
  return scores.reduce((sum, value) => sum + value, 0) / scores.length;
}
