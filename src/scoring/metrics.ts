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

/** 1 − Σ (predicted − truth)² / Σ (truth − mean truth)². NaN when the truth is constant. */
export function determination(predicted: Numbers, truth: Numbers): number {
  const rows = labelled(truth);
  // The first is taken off before averaging, so that a constant gives zeros and not rounding errors.
  const first = truth[rows[0]];
  const mean = rows.reduce((sum, row) => sum + (truth[row] - first), 0) / rows.length;
  let [residual, total] = [0, 0];
  for (const row of rows) {
    residual += (predicted[row] - truth[row]) ** 2;
    total += (truth[row] - first - mean) ** 2;
  }
  return total === 0 ? Number.NaN : 1 - residual / total;
}

/**
 * Area under the curve of precision against recall as the mean precision at each positive (average precision, no
 * interpolation), records of one score taken together, as scikit-learn's. NaN when no record is positive.
 * @param labels 1 positive, 0 negative, NaN missing
 */
export function averagePrecision(scores: Numbers, labels: Numbers): number {
  const rows = labelled(labels);
  if (rows.some((row) => Number.isNaN(scores[row]))) return Number.NaN;
  rows.sort((a, b) => scores[b] - scores[a]);
  let [positives, seen, sum] = [0, 0, 0];
  for (let i = 0; i < rows.length; ) {
    const before = positives;
    const score = scores[rows[i]];
    for (; i < rows.length && scores[rows[i]] === score; i++) positives += labels[rows[i]];
    seen = i;
    sum += ((positives - before) * positives) / seen;
  }
  return sum / positives;
}

/** Records by true class (rows) and predicted class (columns), float64[classes, classes]; unlabelled ones left out. */
function confusion(predictedClass: Numbers, truth: Numbers, classes: number): Float64Array {
  const counts = new Float64Array(classes * classes);
  for (const row of labelled(truth)) counts[truth[row] * classes + predictedClass[row]]++;
  return counts;
}

/** Per class its records, those that were predicted to be of it, and those of both. */
function margins(counts: Float64Array, classes: number) {
  const [truly, predicted, both] = [0, 1, 2].map(() => new Float64Array(classes));
  counts.forEach((count, cell) => {
    const [row, column] = [Math.floor(cell / classes), cell % classes];
    truly[row] += count;
    predicted[column] += count;
    if (row === column) both[row] += count;
  });
  return { truly, predicted, both };
}

/**
 * F1, 2 · precision · recall / (precision + recall): of class 1 where there are two, else the mean over the classes that
 * are in the truth or in the predictions (macro). A class that is never predicted has 0.
 */
export function f1(predictedClass: Numbers, truth: Numbers, classes: number): number {
  const { truly, predicted, both } = margins(confusion(predictedClass, truth, classes), classes);
  const scores = Array.from(both, (hits, index) =>
    truly[index] + predicted[index] === 0 ? Number.NaN : (2 * hits) / (truly[index] + predicted[index]),
  );
  if (classes === 2) return scores[1];
  const known = scores.filter((score) => !Number.isNaN(score));
  return known.reduce((sum, score) => sum + score, 0) / known.length;
}

/**
 * Matthews correlation coefficient, for several classes that of Gorodkin (2004). 0 when all predictions are of one class;
 * NaN when all records are.
 */
export function matthews(predictedClass: Numbers, truth: Numbers, classes: number): number {
  const { truly, predicted, both } = margins(confusion(predictedClass, truth, classes), classes);
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const squares = (values: Float64Array) => values.reduce((total, value) => total + value * value, 0);
  const all = sum(truly);
  const dot = truly.reduce((total, value, index) => total + value * predicted[index], 0);
  const spreadTruth = all * all - squares(truly);
  const spreadPredicted = all * all - squares(predicted);
  if (spreadTruth === 0) return Number.NaN;
  if (spreadPredicted === 0) return 0;
  return (sum(both) * all - dot) / Math.sqrt(spreadTruth * spreadPredicted);
}

/** Bins of equal width, by the probability of what was predicted. */
const CALIBRATION_BINS = 15;

/** Expected calibration error (Guo, Pleiss, Sun & Weinberger, ICML 2017): per bin |accuracy − mean confidence|, by its share of records. */
export function calibrationError(confidence: Numbers, correct: Numbers): number {
  const rows = labelled(correct);
  const [hits, sure] = [0, 1].map(() => new Float64Array(CALIBRATION_BINS));
  for (const row of rows) {
    if (Number.isNaN(confidence[row])) return Number.NaN;
    const bin = Math.min(CALIBRATION_BINS - 1, Math.floor(confidence[row] * CALIBRATION_BINS));
    hits[bin] += correct[row];
    sure[bin] += confidence[row];
  }
  return hits.reduce((sum, own, bin) => sum + Math.abs(own - sure[bin]), 0) / rows.length;
}

/** Scores one target column: outputs [n, width], labels [n]. */
export type ColumnScore = (outputs: Float64Array, labels: Float64Array, width: number) => number;

/** A positive logit says class 1. */
const bySign = (logits: Float64Array): Float64Array =>
  logits.map((logit) => (Number.isNaN(logit) ? Number.NaN : Number(logit > 0)));

/** The largest of `width` logits says the class; the first of equals. */
const byLargest = (logits: Float64Array, width: number): Float64Array =>
  Float64Array.from({ length: logits.length / width }, (_, row) => {
    let best = row * width;
    for (let i = row * width; i < (row + 1) * width; i++) {
      if (Number.isNaN(logits[i])) return Number.NaN;
      if (logits[i] > logits[best]) best = i;
    }
    return best - row * width;
  });

const signAccuracy: ColumnScore = (logits, labels) => accuracy(bySign(logits), labels);

const argmaxAccuracy: ColumnScore = (logits, labels, width) => accuracy(byLargest(logits, width), labels);

/** A score of predicted classes, NaN where a prediction is. */
const ofClasses =
  (score: (predictedClass: Numbers, truth: Numbers, classes: number) => number, sign: boolean): ColumnScore =>
  (logits, labels, width) => {
    const predicted = sign ? bySign(logits) : byLargest(logits, width);
    const failed = predicted.some((value, row) => Number.isNaN(value) && !Number.isNaN(labels[row]));
    return failed ? Number.NaN : score(predicted, labels, sign ? 2 : width);
  };

/** log(1 + eˣ) without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** A probability is taken to be no less than this, so that one sure mistake is not infinite. */
const LEAST_PROBABILITY = 1e-15;
const MOST_LOSS = -Math.log(LEAST_PROBABILITY);

const meanOver = (labels: Float64Array, loss: (row: number) => number): number => {
  const rows = labelled(labels);
  return rows.reduce((sum, row) => sum + loss(row), 0) / rows.length;
};

/** Mean negative logarithm of the probability of the true class, of a logit. */
const binaryLogLoss: ColumnScore = (logits, labels) =>
  meanOver(labels, (row) => Math.min(MOST_LOSS, softplus(labels[row] === 1 ? -logits[row] : logits[row])));

/** The same of one logit for each class. */
const classLogLoss: ColumnScore = (logits, labels, width) =>
  meanOver(labels, (row) => {
    const own = logits.subarray(row * width, (row + 1) * width);
    const largest = own.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = own.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    return Math.min(MOST_LOSS, largest + Math.log(total) - own[labels[row]]);
  });

/** The calibration of the class that is predicted. */
const signCalibration: ColumnScore = (logits, labels) =>
  calibrationError(
    logits.map((logit) => 1 / (1 + Math.exp(-Math.abs(logit)))),
    labels.map((label, row) => (Number.isNaN(label) ? label : Number(label === Number(logits[row] > 0)))),
  );

const classCalibration: ColumnScore = (logits, labels, width) => {
  const predicted = byLargest(logits, width);
  const confidence = predicted.map((index, row) => {
    const own = logits.subarray(row * width, (row + 1) * width);
    return 1 / own.reduce((sum, value) => sum + Math.exp(value - own[index]), 0);
  });
  return calibrationError(
    confidence,
    labels.map((label, row) => (Number.isNaN(label) ? label : Number(label === predicted[row]))),
  );
};

/** One way to score predictions. */
export interface Metric {
  /** As a table prints it. */
  readonly title: string;
  readonly higherIsBetter: boolean;
  /** The least and the greatest value of it. */
  readonly bounds: Bounds;
  /** How many different labels a target needs for the metric to exist; targets with fewer are skipped. */
  readonly distinctLabels: 1 | 2;
  /** What to choose by instead of it, where it counts decisions, of which a few hundred records tell little. */
  readonly chooseBy?: 'log-loss';
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
    chooseBy: 'log-loss',
    tasks: {
      binary: signAccuracy,
      multilabel: signAccuracy,
      multiclass: argmaxAccuracy,
      'per-token': argmaxAccuracy,
    },
  },
  r2: {
    title: 'R²',
    higherIsBetter: true,
    bounds: [-Infinity, 1],
    distinctLabels: 2,
    tasks: { regression: determination },
  },
  'pr-auc': {
    title: 'PR-AUC',
    higherIsBetter: true,
    bounds: [0, 1],
    distinctLabels: 2,
    tasks: { binary: averagePrecision, multilabel: averagePrecision },
  },
  f1: {
    title: 'F1',
    higherIsBetter: true,
    bounds: [0, 1],
    distinctLabels: 2,
    tasks: {
      binary: ofClasses(f1, true),
      multilabel: ofClasses(f1, true),
      multiclass: ofClasses(f1, false),
      'per-token': ofClasses(f1, false),
    },
  },
  mcc: {
    title: 'MCC',
    higherIsBetter: true,
    bounds: [-1, 1],
    distinctLabels: 2,
    tasks: {
      binary: ofClasses(matthews, true),
      multilabel: ofClasses(matthews, true),
      multiclass: ofClasses(matthews, false),
      'per-token': ofClasses(matthews, false),
    },
  },
  'log-loss': {
    title: 'log-loss',
    higherIsBetter: false,
    bounds: [0, Infinity],
    distinctLabels: 1,
    tasks: {
      binary: binaryLogLoss,
      multilabel: binaryLogLoss,
      multiclass: classLogLoss,
      'per-token': classLogLoss,
    },
  },
  'calibration-error': {
    title: 'calibration error',
    higherIsBetter: false,
    bounds: [0, 1],
    distinctLabels: 1,
    tasks: {
      binary: signCalibration,
      multilabel: signCalibration,
      multiclass: classCalibration,
      'per-token': classCalibration,
    },
  },
} as const satisfies Record<string, Metric>;

/** The names of all metrics. */
export type MetricName = keyof typeof metrics;

/** What protocols score beside metrics. */
const furtherBounds: ReadonlyMap<string, Bounds> = new Map([['stability', [-1, 1]]]);

/** The bounds of a metric by its name, which a plug-in's value need not have. */
export const boundsOf = (name: string): Bounds | undefined =>
  Object.hasOwn(metrics, name) ? metrics[name as MetricName].bounds : furtherBounds.get(name);

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

/** What to choose by where a metric is reported. */
export const choosingMetric = (name: MetricName): MetricName => (metrics[name] as Metric).chooseBy ?? name;

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
