/** What a regression learns instead of the labels themselves, and the way back from its outputs to labels. */
import { z } from 'zod';
import { InputError } from '../errors.js';
import type { LabelSpec } from '../scoring/labels.js';
import { normalQuantile } from '../scoring/statistics.js';

/** Names of the transforms of regression labels. */
export const targetTransforms = ['standardize', 'quantile', 'log'] as const;

export type TargetTransform = (typeof targetTransforms)[number];

/** Knots of an increasing function from labels to normal scores, straight between them and constant outside. */
interface Knots {
  readonly labels: readonly number[];
  readonly scores: readonly number[];
}

/**
 * Per target, what is learned of a regression label x: (t(x) − mean) / deviation, where t is nothing, the logarithm, or the
 * normal score of x among the training labels. Plain JSON, kept with the run, so that predictions can be undone.
 */
export interface LabelScale {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** Labels are positive, and mean and deviation are those of their logarithms. */
  readonly log?: true;
  /** Per target; mean and deviation are 0 and 1. */
  readonly quantiles?: readonly Knots[];
}

const numbers = z.array(z.number());

/** A {@link LabelScale} that is read from a file. */
export const labelScaleSchema = z.object({
  mean: numbers,
  deviation: numbers,
  log: z.literal(true).optional(),
  quantiles: z.array(z.object({ labels: numbers.min(1), scores: numbers.min(1) })).optional(),
});

/** Most knots of a quantile transform: with more different labels, such at even steps among these; as many as scikit-learn takes. */
const MOST_KNOTS = 1000;

/**
 * The scale that labels float64[rows, targets] of the training part ask for; NaN is missing, and other tasks than regression
 * get the identity. `quantile` follows `QuantileTransformer` of scikit-learn, but that equal labels share the mean of their
 * ranks, so that the transform increases strictly, and that the ranks end half a step before 0 and 1.
 * Throws InputError where a label has no logarithm.
 */
export function labelScale(
  { task, targets, columns }: Pick<LabelSpec, 'task' | 'targets' | 'columns'>,
  labels: Float64Array,
  transform: TargetTransform = 'standardize',
): LabelScale {
  const identity = { mean: new Array(targets).fill(0), deviation: new Array(targets).fill(1) };
  if (task !== 'regression') return identity;
  const values = columnsOf(labels, targets);
  if (transform === 'quantile') return { ...identity, quantiles: values.map(normalScores) };
  if (transform === 'standardize') return moments(values);
  checkPositive(columns, labels);
  return { ...moments(values.map((column) => column.map(Math.log))), log: true };
}

/** Throws InputError where a label of float64[rows, targets] has no logarithm. */
export function checkPositive(columns: readonly string[], labels: Float64Array): void {
  const place = labels.findIndex((label) => label <= 0);
  if (place < 0) return;
  throw new InputError(
    `target column ${columns[place % columns.length]}: --target-transform log needs labels above 0, got ${labels[place]}; try --target-transform quantile`,
  );
}

/** What is learned of a label. */
export function scaleLabel(
  { mean, deviation, log, quantiles }: LabelScale,
  target: number,
  label: number,
): number {
  if (quantiles) return interpolate(quantiles[target].labels, quantiles[target].scores, label);
  return ((log ? Math.log(label) : label) - mean[target]) / deviation[target];
}

/** The label that a model's output stands for; for quantiles never outside the training labels. */
export function unscaleLabel(
  { mean, deviation, log, quantiles }: LabelScale,
  target: number,
  output: number,
): number {
  if (quantiles) return interpolate(quantiles[target].scores, quantiles[target].labels, output);
  const value = output * deviation[target] + mean[target];
  return log ? Math.exp(value) : value;
}

/** The labels of each target that are not missing. */
const columnsOf = (labels: Float64Array, targets: number): number[][] =>
  Array.from({ length: targets }, (_, target) =>
    Array.from(labels).filter((label, i) => i % targets === target && !Number.isNaN(label)),
  );

/** Mean and deviation of each column; a column without scatter is divided by 1. */
function moments(columns: readonly (readonly number[])[]): Pick<LabelScale, 'mean' | 'deviation'> {
  const mean = columns.map(
    (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length),
  );
  const deviation = columns.map((values, target) => {
    const variance =
      values.reduce((sum, value) => sum + (value - mean[target]) ** 2, 0) / Math.max(1, values.length);
    return Math.sqrt(variance) || 1;
  });
  return { mean, deviation };
}

/** The distinct labels, ascending, each with the normal quantile of its mean rank. */
function normalScores(column: readonly number[]): Knots {
  const sorted = Float64Array.from(column).sort();
  const labels: number[] = [];
  const scores: number[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (sorted[end] === sorted[start]) end++;
    labels.push(sorted[start]);
    scores.push(normalQuantile((start + end) / 2 / sorted.length));
    start = end;
  }
  if (labels.length === 0) return { labels: [0], scores: [0] };
  return { labels: thinned(labels), scores: thinned(scores) };
}

/** At most `MOST_KNOTS` of the values, the first and the last among them. */
function thinned(values: readonly number[]): readonly number[] {
  if (values.length <= MOST_KNOTS) return values;
  const step = (values.length - 1) / (MOST_KNOTS - 1);
  return Array.from({ length: MOST_KNOTS }, (_, i) => values[Math.round(i * step)]);
}

/** The increasing function through the points (from, to) at x: straight between them, constant outside. */
function interpolate(from: readonly number[], to: readonly number[], x: number): number {
  let low = 0;
  let high = from.length - 1;
  if (!(x > from[low])) return Number.isNaN(x) ? x : to[low];
  if (x >= from[high]) return to[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= x) low = middle;
    else high = middle;
  }
  const part = (x - from[low]) / (from[high] - from[low]);
  return to[low] + part * (to[high] - to[low]);
}
