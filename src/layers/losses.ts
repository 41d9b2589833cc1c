import {
  add,
  divide,
  less,
  logSoftmax,
  mean,
  multiply,
  negate,
  oneHot,
  scalar,
  softplus,
  staticSize,
  subtract,
  sum,
  sumAll,
  type Value,
  where,
} from '../graph/index.js';

/** Cross-entropy per row: logits float32[…, classes], targets int[…] → float32[…], in nats. */
export function crossEntropy(logits: Value, targets: Value): Value {
  const classes = staticSize(logits.shape.at(-1)!);
  return negate(sum(multiply(logSoftmax(logits), oneHot(targets, classes)), [-1]));
}

/** Binary cross-entropy per element, from logits: targets float32 in [0, 1] → float32 of the same shape, in nats. */
export function binaryCrossEntropy(logits: Value, targets: Value): Value {
  return subtract(softplus(logits), multiply(logits, targets));
}

/** Mean squared error per row over the last axis: float32[…, channels] twice → float32[…]. */
export function squaredError(predicted: Value, target: Value): Value {
  const difference = subtract(predicted, target);
  return mean(multiply(difference, difference), [-1]);
}

/**
 * Of values and weights float32[…] of one shape Σ weight · value / Σ weight, 0 where all weights are 0, and the sum of the
 * weights: float32[] each.
 */
export function weightedMean(values: Value, weights: Value): { mean: Value; weight: Value } {
  const weight = sumAll(weights);
  const divisor = where(less(weight, scalar(1e-12)), add(weight, scalar(1)), weight);
  return { mean: divide(sumAll(multiply(values, weights)), divisor), weight };
}
