/** Records mixed with each other, and their labels with them. */
import { z } from 'zod';
import {
  add,
  concatenate,
  gather,
  multiply,
  reshape,
  type Size,
  scalar,
  subtract,
  type Value,
} from '../../graph/index.js';
import type { Option } from '../../options.js';
import type { Random } from '../../tensor/random.js';
import type { Labelled } from './regularizer.js';

/** How a pair is mixed. */
export const mixupAlpha: Option<number> = {
  type: z.number().gt(0).max(4),
  description: 'the shares of records that are mixed are drawn from Beta(α, α) (mixup, core-tuning)',
  example: 1,
};

/** A draw from Beta(α, α) in [0, 1] by Jöhnk's rejection, for α up to a few. */
export function drawBeta(alpha: number, { uniform }: Random): number {
  for (;;) {
    const [x, y] = [uniform() ** (1 / alpha), uniform() ** (1 / alpha)];
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

/** A pair of rows to be mixed, each with its labels and their weights. */
export interface Mixed {
  /** float32[n, 1]: the part of the first. */
  readonly share: Value;
  readonly first: Pick<Labelled, 'read' | 'labels' | 'weights'>;
  readonly second: Pick<Labelled, 'read' | 'labels' | 'weights'>;
}

/** The rows at int32[n]. */
export const rowsAt = (
  { read, labels, weights }: Pick<Labelled, 'read' | 'labels' | 'weights'>,
  indices: Value,
): Mixed['first'] => ({
  read: gather(read, indices),
  labels: gather(labels, indices),
  weights: gather(weights, indices),
});

/** λ · first + (1 − λ) · second, float32[n, width]. */
export const mix = (share: Value, first: Value, second: Value): Value =>
  add(multiply(first, share), multiply(second, subtract(scalar(1), share)));

/** Labels float32[2 n, targets] and weights of outputs that count for both of their rows, by their shares. */
export function mixedLosses(outputs: Value, { share, first, second }: Mixed, losses: Labelled['losses']) {
  return {
    values: concatenate([losses(outputs, first.labels), losses(outputs, second.labels)], 0),
    weights: concatenate(
      [multiply(first.weights, share), multiply(second.weights, subtract(scalar(1), share))],
      0,
    ),
  };
}

/** float32[n] of shares as a column. */
export const column = (shares: Value): Value => reshape(shares, [shares.shape[0] as Size, 1]);
