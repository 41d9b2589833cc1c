import { z } from 'zod';
import {
  add,
  cast,
  exp,
  less,
  log,
  logSoftmax,
  maximum,
  multiply,
  negate,
  reshape,
  scalar,
  slice,
  staticSize,
  stopGradient,
  subtract,
  sum,
  topK,
  transpose,
  type Value,
} from '../../graph/index.js';
import { weightedMean } from '../../layers/losses.js';
import { among, cosines, not, pairsThatCount, regularizerWeight, TEMPERATURE } from './alike.js';
import type { Regularizer } from './regularizer.js';

/** float32[n, n]: 1 where `a` is not less than `b`. */
const atLeast = (a: Value, b: Value): Value => not(cast(less(a, b), 'float32'));

/**
 * The leave-one-out loss of nearest neighbours of rows float32[n, width] with classes float32[n, 1]: the mean over rows i
 * that have another of their class of −log Σ_{j ∈ N(i), y_j = y_i} e^{s_ij} / Σ_{j ∈ N(i)} e^{s_ij}, where s are cosines /
 * 0.07 and N(i) are the k nearest other rows and the nearest one of i's class. `counts` float32[n] is 0 for rows that are left out.
 * @internal
 */
export function leaveOneOut(rows: Value, classes: Value, counts: Value, k: number): Value {
  const n = staticSize(rows.shape[0]);
  const allowed = pairsThatCount(counts);
  const scores = among(multiply(cosines(rows), scalar(1 / TEMPERATURE)), allowed);
  const apart = subtract(classes, transpose(classes, [1, 0]));
  const same = multiply(cast(less(multiply(apart, apart), scalar(0.25)), 'float32'), allowed);
  const fixed = stopGradient(scores);
  const nearest = Math.min(k, Math.max(1, n - 1));
  const last = slice(topK(fixed, nearest).values, 1, nearest - 1, nearest);
  const ofClass = among(fixed, same);
  const first = multiply(atLeast(ofClass, maximum(ofClass, [1], { keepSizes: true })), same);
  // Either is enough.
  const neighbors = not(multiply(not(multiply(atLeast(fixed, last), allowed)), not(first)));
  const shares = exp(logSoftmax(among(scores, neighbors)));
  const right = sum(multiply(shares, multiply(same, neighbors)), [1]);
  const has = cast(less(scalar(0.5), sum(same, [1])), 'float32');
  return weightedMean(negate(log(add(right, scalar(1e-12)))), has).mean;
}

/**
 * LOOK beside the loss of the labels: a record should be predicted by its nearest neighbours in the batch, so that a class
 * may be several clusters. A reconstruction from the abstract, which is of supervised pretraining: that similarities are
 * cosines / 0.07, that the nearest record of the class is always a neighbour, and that the neighbours are those of the
 * batch, is ours.
 */
export const look: Regularizer = {
  paper: 'Feng et al., ICLR 2022',
  tasks: ['binary', 'multiclass'],
  options: {
    regularizer_weight: regularizerWeight,
    look_neighbors: {
      type: z.int().min(1),
      description: 'nearest records of the batch by which a record should be predicted (look)',
      example: 10,
    },
  },
  defaults: { regularizer_weight: 0.1, look_neighbors: 10 },
  comparesRecords: true,
  loss(
    { regularizer_weight: amount = 0.1, look_neighbors: neighbors = 10 },
    { read, head, labels, weights, losses },
  ) {
    const { mean, weight } = weightedMean(losses(head(read), labels), weights);
    const loss = leaveOneOut(read, labels, reshape(weights, [weights.shape[0]]), neighbors);
    return { mean: add(mean, multiply(loss, scalar(amount))), weight };
  },
};
