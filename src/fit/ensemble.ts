/** Predictions of several models as one: their weighted mean, and the weights that validation chooses. */
import { logistic, softmax } from '../numerics/softmax.js';
import type { LabelSpec } from '../scoring/labels.js';
import { isBetter, type MetricName, scoreMetric, type Task } from '../scoring/metrics.js';

type Layout = Pick<LabelSpec, 'task' | 'targets' | 'outputs'>;

/** Probabilities nearer to 0 or 1 than this have the logit of this. */
const LEAST = 1e-12;

function softmaxRows(logits: Float64Array, width: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += width)
    out.set(softmax(logits.subarray(row, row + width)), row);
  return out;
}

type Convert = (outputs: Float64Array, layout: Layout) => Float64Array;

interface Scale {
  readonly to: Convert;
  readonly from: Convert;
}

const yesOrNo: Scale = {
  to: (outputs) => outputs.map(logistic),
  from: (mean) => mean.map((p) => Math.log(Math.max(p, LEAST) / Math.max(1 - p, LEAST))),
};
const oneOfSeveral: Scale = {
  to: (outputs, { outputs: width }) => softmaxRows(outputs, width),
  from: (mean) => mean.map((p) => Math.log(p)),
};

/** Where predictions are averaged, and the way back: values as they are, probabilities instead of logits. */
const scales: Record<Task, Scale> = {
  regression: { to: (outputs) => outputs, from: (mean) => mean },
  binary: yesOrNo,
  multilabel: yesOrNo,
  multiclass: oneOfSeveral,
  'per-token': oneOfSeveral,
};

/** What outputs float64[rows, outputs] say: values as they are, probabilities of logits. */
export const predictedValues = (outputs: Float64Array, layout: Layout): Float64Array =>
  scales[layout.task].to(outputs, layout);

/**
 * The weighted mean of predictions float64[rows, outputs], of values or of probabilities, as values or logits again.
 * @param weights one for each, 0 or more, not all 0
 */
export function meanPrediction(
  predictions: readonly Float64Array[],
  layout: Layout,
  weights: readonly number[] = predictions.map(() => 1),
): Float64Array {
  const { to, from } = scales[layout.task];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = new Float64Array(predictions[0].length);
  predictions.forEach((outputs, member) => {
    const weight = weights[member] / total;
    if (weight === 0) return;
    const own = to(outputs, layout);
    for (let i = 0; i < mean.length; i++) mean[i] += weight * own[i];
  });
  return from(mean, layout);
}

/** Draws of a model into the ensemble, at most. */
const DRAWS = 40;

/**
 * Greedy ensemble selection with replacement (Caruana, Niculescu-Mizil, Crew & Ksikes, ICML 2004): beginning with the best
 * model, whichever improves the mean most is drawn again and again; its weight is how often it was drawn. Of equal
 * ensembles the one with fewer draws is kept, and of equal models the first, also where no score is defined.
 * @param predictions float64[rows, outputs] of each model, for records that it did not learn from
 * @param labels float64[rows, targets]; NaN is missing
 * @returns one weight for each model, which add up to 1
 */
export function greedyEnsemble(
  predictions: readonly Float64Array[],
  labels: Float64Array,
  layout: Layout,
  metric: MetricName,
): number[] {
  const { to, from } = scales[layout.task];
  const members = predictions.map((outputs) => to(outputs, layout));
  const drawn = members.map(() => 0);
  const sum = new Float64Array(members[0].length);
  const trial = new Float64Array(sum.length);
  let best: { score: number; weights: number[] } = {
    score: Number.NaN,
    weights: members.map((_, member) => (member === 0 ? 1 : 0)),
  };
  for (let draws = 1; draws <= DRAWS; draws++) {
    let chosen = 0;
    let score = Number.NaN;
    members.forEach((own, member) => {
      for (let i = 0; i < sum.length; i++) trial[i] = (sum[i] + own[i]) / draws;
      const found = scoreMetric(metric, from(trial, layout), labels, layout);
      if (isBetter(metric, found, score)) {
        score = found;
        chosen = member;
      }
    });
    drawn[chosen]++;
    for (let i = 0; i < sum.length; i++) sum[i] += members[chosen][i];
    if (isBetter(metric, score, best.score)) best = { score, weights: drawn.map((times) => times / draws) };
  }
  return best.weights;
}
