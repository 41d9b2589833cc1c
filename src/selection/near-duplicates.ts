import { groupsOf, usualThreshold } from '../search/duplicates.js';
import { neighborsWithin, vectorIndex } from '../search/vector-index.js';
import type { Selector } from './selector.js';

/** Others that each record is compared with: the nearest. */
const NEIGHBORS = 20;

/**
 * One record of each group of near-copies, the first of it, in the order of the file: what the verb `duplicates` would leave. Copies that
 * are learned from again and again weigh more than others (Lee et al., ACL 2022, for texts).
 */
export const nearDuplicates: Selector = {
  description: 'one record of each group of near-copies',
  value: 'nearest_similarity',
  async select({ vectors, width, count, multiply }) {
    const n = vectors.length / width;
    const index = await vectorIndex(vectors, width, { multiply });
    const { k, rows, similarities } = await neighborsWithin(index, vectors, Math.min(NEIGHBORS, n - 1));
    const nearest = similarities.filter((_, i) => i % k === 0);
    const threshold = usualThreshold(nearest);
    const pairs: (readonly [number, number])[] = [];
    similarities.forEach((similarity, i) => {
      if (rows[i] >= 0 && similarity >= threshold) pairs.push([Math.floor(i / k), rows[i]]);
    });
    const groups = groupsOf(n, pairs);
    const first = Array.from({ length: n }, (_, record) => record).filter(
      (record) => groups[record] === record,
    );
    const records = Int32Array.from(first.slice(0, count));
    return {
      records,
      values: Float64Array.from(records, (record) => nearest[record]),
      ...(first.length < (count ?? n) && { ended: `${n - first.length} of ${n} are copies of others` }),
    };
  },
};
