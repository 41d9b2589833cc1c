import { InputError } from '../errors.js';
import { averageRanks, correlation } from './correlation.js';
import type { Bounds } from './statistics.js';

/** What is to be predicted from a record: numbers, one of two classes, one of many, several yes/no answers, or one class for each token. */
export const tasks = ['regression', 'binary', 'multiclass', 'multilabel', 'per-token'] as const;

/** One of {@link tasks}. */
export type Task = (typeof tasks)[number];

/**
 * Numbers to compare, one per record, or per token where tokens are labelled. In `truth` and `labels` NaN is a missing
 * label, which is skipped. A NaN prediction for a record that has a label makes every metric NaN: a model that failed is not scored on the rest.
 */
export type Numbers = ArrayLike<number>;

/** Positions that have a label. */
function labelled(labels: Numbers): Int32Array {
  const rows = new Int32Array(labels.length);
  let count = 0;
  for (let i = 0; i < labels.length; i++) if (!Number.isNaN(labels[i])) rows[count++] = i;
  return rows.subarray(0, count);
}

/** √ mean (predicted − truth)². NaN when no record has a label. */
export function rootMeanSquaredError(predicted: Numbers, truth: Numbers): number {
  const rows = labelled(truth);
  let sum = 0;
  for (const row of rows) sum += (predicted[row] - truth[row]) ** 2;
  return Math.sqrt(sum / rows.length);
}

/** mean |predicted − truth|. NaN when no record has a label. */
export function meanAbsoluteError(predicted: Numbers, truth: Numbers): number {
  const rows = labelled(truth);
  let sum = 0;
  for (const row of rows) sum += Math.abs(predicted[row] - truth[row]);
  return sum / rows.length;
}

/** Share of records whose predicted class is the true one. NaN when no record has a label. */
export function accuracy(predictedClass: Numbers, truth: Numbers): number {
  const rows = labelled(truth);
  let correct = 0;
  for (const row of rows) {
    if (Number.isNaN(predictedClass[row])) return Number.NaN;
    if (predictedClass[row] === truth[row]) correct++;
  }
  return correct / rows.length;
}

/** Linear correlation. NaN when either side is constant, so also when fewer than two records have a label. */
export function pearson(predicted: Numbers, truth: Numbers): number {
  const rows = labelled(truth);
  return correlation(
    Float64Array.from(rows, (row) => predicted[row]),
    Float64Array.from(rows, (row) => truth[row]),
  );
}

/** Rank correlation; tied values share the mean of their ranks. NaN when either side is constant, as in SciPy. */
export function spearman(predicted: Numbers, truth: Numbers): number {
  const rows = labelled(truth);
  return correlation(
    averageRanks(Float64Array.from(rows, (row) => predicted[row])),
    averageRanks(Float64Array.from(rows, (row) => truth[row])),
  );
}

/**
 * Area under the ROC curve: the probability that a positive scores above a negative, a tie counting one half
 * (Mann–Whitney U / (positives × negatives)). NaN when only one class has labels.
 * @param labels 1 positive, 0 negative, NaN missing
 */
export function rocAuc(scores: Numbers, labels: Numbers): number {
  const rows = labelled(labels);
  let positives = 0;
  for (const row of rows) {
    if (labels[row] !== 0 && labels[row] !== 1)
      throw new Error(`rocAuc: label ${labels[row]} is neither 0 nor 1`);
    if (Number.isNaN(scores[row])) return Number.NaN;
    positives += labels[row];
  }
  const above = new Float64Array(positives);
  const below = new Float64Array(rows.length - positives);
  let p = 0;
  let q = 0;
  for (const row of rows) {
    if (labels[row] === 1) above[p++] = scores[row];
    else below[q++] = scores[row];
  }
  above.sort();
  below.sort();
  let smaller = 0; // negatives below the current positive
  let smallerOrEqual = 0;
  let twiceU = 0; // an integer, so exact
  for (const score of above) {
    while (smaller < below.length && below[smaller] < score) smaller++;
    while (smallerOrEqual < below.length && below[smallerOrEqual] <= score) smallerOrEqual++;
    twiceU += smaller + smallerOrEqual;
  }
  return twiceU / 2 / (above.length * below.length);
}

/** Scores one target column: outputs [n, width], labels [n]. */
export type ColumnScore = (outputs: Float64Array, labels: Float64Array, width: number) => number;

/** A positive logit says class 1. */
const signAccuracy: ColumnScore = (logits, labels) =>
  accuracy(
    logits.map((logit) => (Number.isNaN(logit) ? Number.NaN : Number(logit > 0))),
    labels,
  );

/** The largest of `width` logits says the class; the first of equals. */
const argmaxAccuracy: ColumnScore = (logits, labels, width) =>
  accuracy(
    labels.map((_, row) => {
      let best = row * width;
      for (let i = row * width; i < (row + 1) * width; i++) {
        if (Number.isNaN(logits[i])) return Number.NaN;
        if (logits[i] > logits[best]) best = i;
      }
      return best - row * width;
    }),
    labels,
  );

/** One way to score predictions. */
export interface Metric {
  /** As a table prints it. */
  readonly title: string;
  readonly higherIsBetter: boolean;
  /** The least and the greatest value of it. */
  readonly bounds: Bounds;
  /** How many different labels a target needs for the metric to exist; targets with fewer are skipped. */
  readonly distinctLabels: 1 | 2;
  /** The tasks it fits, and how it scores one target of each. */
  readonly tasks: Readonly<Partial<Record<Task, ColumnScore>>>;
}

/** Every metric there is, by the name it has in a configuration. */
export const metrics = {
  rmse: {
    title: 'RMSE',
    higherIsBetter: false,
    bounds: [0, Infinity],
    distinctLabels: 1,
    tasks: { regression: rootMeanSquaredError },
  },
  mae: {
    title: 'MAE',
    higherIsBetter: false,
    bounds: [0, Infinity],
    distinctLabels: 1,
    tasks: { regression: meanAbsoluteError },
  },
  pearson: {
    title: 'Pearson',
    higherIsBetter: true,
    bounds: [-1, 1],
    distinctLabels: 2,
    tasks: { regression: pearson },
  },
  spearman: {
    title: 'Spearman',
    higherIsBetter: true,
    bounds: [-1, 1],
    distinctLabels: 2,
    tasks: { regression: spearman },
  },
  'roc-auc': {
    title: 'ROC-AUC',
    higherIsBetter: true,
    bounds: [0, 1],
    distinctLabels: 2,
    tasks: { binary: rocAuc, multilabel: rocAuc },
  },
  accuracy: {
    title: 'accuracy',
    higherIsBetter: true,
    bounds: [0, 1],
    distinctLabels: 1,
    tasks: {
      binary: signAccuracy,
      multilabel: signAccuracy,
      multiclass: argmaxAccuracy,
      'per-token': argmaxAccuracy,
    },
  },
} as const satisfies Record<string, Metric>;

/** The names of all metrics. */
export type MetricName = keyof typeof metrics;

/** The bounds of a metric by its name, which a plug-in's value need not have. */
export const boundsOf = (name: string): Bounds | undefined =>
  Object.hasOwn(metrics, name) ? metrics[name as MetricName].bounds : undefined;

/** The bounds of the difference of two scores by a metric. */
export function differenceBounds(name: string): Bounds | undefined {
  const bounds = boundsOf(name);
  return bounds && [bounds[0] - bounds[1], bounds[1] - bounds[0]];
}

const usual: Record<Task, MetricName> = {
  regression: 'rmse',
  binary: 'roc-auc',
  multiclass: 'accuracy',
  multilabel: 'roc-auc',
  'per-token': 'accuracy',
};

/** The metric a user asked for, or the usual one of the task. Throws InputError when it is unknown or does not fit. */
export function chooseMetric(task: Task, name: string = usual[task]): MetricName {
  const fitting = (Object.keys(metrics) as MetricName[]).filter((key) => task in metrics[key].tasks);
  const chosen = fitting.find((key) => key === name);
  if (chosen) return chosen;
  const problem = Object.hasOwn(metrics, name)
    ? `metric ${name} does not fit a ${task} task`
    : `unknown metric ${name}`;
  throw new InputError(`${problem}: expected one of ${fitting.join(', ')}`);
}

/** Whether `value` improves on `best`. NaN improves on nothing, and anything else improves on NaN. */
export function isBetter(name: MetricName, value: number, best: number): boolean {
  if (Number.isNaN(value) || Number.isNaN(best)) return !Number.isNaN(value);
  return metrics[name].higherIsBetter ? value > best : value < best;
}

/** The part of a LabelSpec that scoring needs. */
export interface OutputLayout {
  readonly task: Task;
  readonly targets: number;
  readonly outputs: number;
}

/**
 * Scores every target and averages. A target whose labels cannot define the metric (none, or a single class for
 * ROC-AUC, or constant for a correlation) is skipped, counted, and NaN in `perTarget`; with all skipped `value` is NaN.
 * A target that is undefined because of the *predictions* (NaN, or constant under a correlation) is not skipped:
 * the mean is NaN.
 * @param outputs [n, layout.outputs]: predicted values for regression, one logit per target for binary and
 * multilabel (positive means yes), one logit per class for multiclass and per-token
 * @param labels [n, layout.targets]: values, 0/1, or class numbers; NaN is missing
 */
export function scoreTargets(
  name: MetricName,
  outputs: Numbers,
  labels: Numbers,
  layout: OutputLayout,
): { value: number; perTarget: number[]; skipped: number } {
  const metric: Metric = metrics[name];
  const score = metric.tasks[layout.task];
  if (!score) throw new Error(`scoreTargets: metric ${name} does not fit a ${layout.task} task`);
  const { targets, outputs: stride } = layout;
  const width = stride / targets;
  const count = labels.length / targets;
  if (outputs.length !== count * stride) {
    throw new Error(`scoreTargets: expected outputs [${count}, ${stride}], got ${outputs.length} numbers`);
  }
  const outputColumn = new Float64Array(count * width);
  const labelColumn = new Float64Array(count);
  const perTarget: number[] = [];
  let sum = 0;
  let skipped = 0;
  for (let target = 0; target < targets; target++) {
    for (let row = 0; row < count; row++) {
      labelColumn[row] = labels[row * targets + target];
      for (let i = 0; i < width; i++)
        outputColumn[row * width + i] = outputs[row * stride + target * width + i];
    }
    const defined = hasDistinct(labelColumn, metric.distinctLabels);
    const value = defined ? score(outputColumn, labelColumn, width) : Number.NaN;
    perTarget.push(value);
    if (defined) sum += value;
    else skipped++;
  }
  return { value: sum / (targets - skipped), perTarget, skipped };
}

function hasDistinct(labels: Float64Array, wanted: 1 | 2): boolean {
  const first = labels.find((label) => !Number.isNaN(label));
  if (first === undefined || wanted === 1) return first !== undefined;
  return labels.some((label) => !Number.isNaN(label) && label !== first);
}

/** {@link scoreTargets} as one number. */
export function scoreMetric(
  name: MetricName,
  outputs: Numbers,
  labels: Numbers,
  layout: OutputLayout,
): number {
  return scoreTargets(name, outputs, labels, layout).value;
}
