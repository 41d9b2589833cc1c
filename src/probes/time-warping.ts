import { InputError } from '../errors.js';
import type { SeriesRows } from '../features/series.js';
import { warpedDistance } from '../numerics/time-warping.js';
import { voting } from './nearest-neighbors.js';
import type { Probe, TrainingRows } from './protocol.js';

/** Windows tried: each percent of the steps. */
const PERCENTS = 100;

/**
 * The label of the one training series that is nearest by dynamic time warping ({@link warpedDistance}), the usual baseline of
 * the UCR archive (Dau et al., IEEE/CAA JAS 2019). The window is the least, in percents of the steps, with the fewest errors
 * (or squared errors) where each training series is predicted by the others. Throws InputError where labels are of tokens.
 */
export const timeWarping = function* (train, spec) {
  if (spec.task === 'per-token') {
    throw new InputError('time warping: expected a label for each series, got labels of its tokens');
  }
  const window = chooseWindow(train, spec.task === 'regression');
  yield {
    chosen: { window },
    predict: (given) => {
      const size = given.steps * given.channels;
      const queries = given.values.length / size;
      const rows = new Int32Array(queries);
      for (let query = 0; query < queries; query++) {
        const own = given.values.subarray(query * size, (query + 1) * size);
        rows[query] = nearest(own, train.features, window).row;
      }
      return voting[spec.task]({ k: 1, rows, similarities: new Float32Array(queries) }, 1, train, spec);
    },
  };
} satisfies Probe<SeriesRows>;

/**
 * The row nearest to a series and its distance, of equally near ones the earliest; `start` is measured first, as its distance
 * spares most of the others.
 */
function nearest(
  own: Float32Array,
  { steps, channels, values }: SeriesRows,
  window: number,
  { leftOut = -1, start = 0 } = {},
): { row: number; distance: number } {
  const size = steps * channels;
  const to = (row: number, bound?: number) =>
    warpedDistance(own, values.subarray(row * size, (row + 1) * size), channels, window, bound);
  let row = start;
  let distance = to(start);
  for (let other = 0; other * size < values.length; other++) {
    if (other === start || other === leftOut) continue;
    const found = to(other, other < row ? nextAbove(distance) : distance);
    if (found < distance || (found === distance && other < row)) {
      row = other;
      distance = found;
    }
  }
  return { row, distance };
}

/** A bound that an equal distance does not reach. */
const nextAbove = (value: number) => value * (1 + Number.EPSILON) + Number.MIN_VALUE;

function chooseWindow({ features, labels, count }: TrainingRows<SeriesRows>, isValue: boolean): number {
  const { steps, channels, values } = features;
  if (count < 2) return 0;
  const targets = labels.length / count;
  const size = steps * channels;
  const found: number[] = Array.from({ length: count }, (_, row) => (row === 0 ? 1 : 0));
  let chosen = 0;
  let least = Number.POSITIVE_INFINITY;
  const windows = new Set(
    Array.from({ length: PERCENTS + 1 }, (_, percent) => Math.round((percent * (steps - 1)) / PERCENTS)),
  );
  for (const window of windows) {
    let errors = 0;
    for (let row = 0; row < count; row++) {
      // The neighbour under the window before is seldom far away under this one.
      found[row] = nearest(values.subarray(row * size, (row + 1) * size), features, window, {
        leftOut: row,
        start: found[row],
      }).row;
      for (let target = 0; target < targets; target++) {
        const difference = labels[row * targets + target] - labels[found[row] * targets + target];
        if (Number.isNaN(difference)) continue;
        errors += isValue ? difference ** 2 : Number(difference !== 0);
      }
    }
    if (errors < least) {
      least = errors;
      chosen = window;
    }
  }
  return chosen;
}
