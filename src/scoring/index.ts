/** Labels as numbers, parts with sealed test labels, metrics of predictions, and statistics of scores. */

export { PARTS, type Part } from '../records/split.js';
export { labelOffsets, takeLabelRows } from './label-rows.js';
export { className, describeLabels, encodeLabels, type LabelSpec, type TargetColumn } from './labels.js';
export {
  accuracy,
  averagePrecision,
  boundsOf,
  type ColumnScore,
  calibrationError,
  chooseMetric,
  determination,
  f1,
  isBetter,
  type Metric,
  type MetricName,
  matthews,
  meanAbsoluteError,
  metrics,
  type Numbers,
  type OutputLayout,
  pearson,
  rocAuc,
  rootMeanSquaredError,
  scoreMetric,
  scoreTargets,
  spearman,
  type Task,
  tasks,
} from './metrics.js';
export {
  convertParts,
  type LabelledPart,
  type LabelledRecords,
  type Parts,
  type SealedPart,
  splitParts,
  type TestScore,
} from './parts.js';
export { type Bounds, type Interval, studentT, summarize } from './statistics.js';
