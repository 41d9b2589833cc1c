/** Which records of a batch are alike, by their states and by their labels. */
import { z } from 'zod';
import {
  add,
  constant,
  divide,
  matmul,
  multiply,
  reshape,
  scalar,
  sqrt,
  staticSize,
  subtract,
  sum,
  type Value,
} from '../../graph/index.js';
import type { Option } from '../../options.js';
import { hostTensor } from '../../tensor/tensor.js';

/** What a contrast of records counts for beside the loss of the labels. */
export const regularizerWeight: Option<number> = {
  type: z.number().gt(0),
  description: 'what the contrast of records counts for beside the loss of the labels (core-tuning, look)',
  example: 0.1,
};

/** What similarities are divided by, as in supervised contrastive learning (Khosla et al., NeurIPS 2020). */
export const TEMPERATURE = 0.07;

/** A score that has no weight in a softmax. */
const EXCLUDED = -1e9;

/** float32[n, n]: 1 on the diagonal. */
export const diagonal = (n: number): Value =>
  constant(
    hostTensor(
      'float32',
      [n, n],
      Float32Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0)),
    ),
  );

/** 1 − x */
export const not = (x: Value): Value => subtract(scalar(1), x);

/** float32[n, n]: 1 where two different rows both count, by `counts` float32[n] of 0 and 1. */
export function pairsThatCount(counts: Value): Value {
  const n = staticSize(counts.shape[0]);
  const both = matmul(reshape(counts, [n, 1]), reshape(counts, [1, n]));
  return multiply(both, not(diagonal(n)));
}

/** float32[n, n] of cosines between the rows float32[n, width]. */
export function cosines(rows: Value): Value {
  const length = sqrt(add(sum(multiply(rows, rows), [1], { keepSizes: true }), scalar(1e-12)));
  const unit = divide(rows, length);
  return matmul(unit, unit, { transposeB: true });
}

/** Scores float32[n, n], with no chance where `allowed` float32[n, n] is 0 and unchanged where it is 1. */
export const among = (scores: Value, allowed: Value): Value =>
  add(scores, multiply(not(allowed), scalar(EXCLUDED)));
