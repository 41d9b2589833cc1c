/** Which of similar pairs are one record twice. */
import { InputError } from '../errors.js';

/** A distance below this is rounding. */
const ROUNDING = 1e-6;

/** How many deviations nearer than usual a nearest neighbour has to be. */
const DEVIATIONS = 3;

/**
 * A threshold from the similarity of each record to the nearest other: near-copies are nearer than the median by more than three
 * deviations of the logarithm of the distance 1 − similarity, a deviation being 1.4826 times the median absolute one. Exact
 * copies are always above it. It holds while less than half of the records have copies; where these distances do not scatter, as of two
 * records, exact copies alone are above it.
 */
export function usualThreshold(nearest: ArrayLike<number>): number {
  const logs = Float64Array.from(nearest, (similarity) => Math.log(Math.max(1 - similarity, ROUNDING)));
  const middle = median(logs);
  const deviation = 1.4826 * median(logs.map((value) => Math.abs(value - middle)));
  if (nearest.length < 4 || deviation === 0) return 1 - 2 * ROUNDING;
  return 1 - Math.max(Math.exp(middle - DEVIATIONS * deviation), 2 * ROUNDING);
}

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** A threshold and how well it tells labelled pairs apart. */
export interface LabelledThreshold {
  readonly threshold: number;
  readonly precision: number;
  readonly recall: number;
}

/**
 * The threshold with the largest F1 on labelled pairs: the similarity of the least similar duplicate that it still finds, so that
 * pairs that are obviously different cannot draw it down; of equally good ones the highest. Throws InputError unless some pairs are duplicates and some are not.
 */
export function labelledThreshold(
  similarities: readonly number[],
  same: readonly boolean[],
): LabelledThreshold {
  const duplicates = same.filter(Boolean).length;
  if (duplicates === 0 || duplicates === same.length)
    throw new InputError(
      `pairs: expected some that are duplicates and some that are not, got ${duplicates} duplicates among ${same.length}`,
    );
  const order = [...similarities.keys()].sort((a, b) => similarities[b] - similarities[a]);
  let best: LabelledThreshold & { f1: number } = { threshold: 1, precision: 0, recall: 0, f1: -1 };
  let hits = 0;
  order.forEach((pair, i) => {
    if (same[pair]) hits++;
    const [own, next] = [similarities[pair], similarities[order[i + 1]] ?? -1];
    // No threshold lies between equal ones.
    if (own === next) return;
    const f1 = (2 * hits) / (i + 1 + duplicates);
    if (f1 > best.f1) best = { threshold: own, precision: hits / (i + 1), recall: hits / duplicates, f1 };
  });
  const { threshold, precision, recall } = best;
  return { threshold, precision, recall };
}

/** The group of each of `count` records, where pairs are in one group: int32[count], the first record of its group. */
export function groupsOf(count: number, pairs: Iterable<readonly [number, number]>): Int32Array {
  const parent = Int32Array.from({ length: count }, (_, record) => record);
  const root = (record: number): number => {
    let at = record;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]];
      at = parent[at];
    }
    return at;
  };
  for (const [a, b] of pairs) {
    const [first, second] = [root(a), root(b)];
    parent[Math.max(first, second)] = Math.min(first, second);
  }
  return parent.map((_, record) => root(record));
}
