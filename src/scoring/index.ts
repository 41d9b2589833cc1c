/** Labels as numbers, metrics of predictions, and statistics of scores. */
export { labelOffsets, takeLabelRows } from './label-rows.js';
export { className, describeLabels, encodeLabels, type LabelSpec, type TargetColumn } from './labels.js';
export {
  accuracy,
  type ColumnScore,
  chooseMetric,
  isBetter,
  type Metric,
  type MetricName,
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
export { type Interval, studentT, summarize } from './statistics.js';
