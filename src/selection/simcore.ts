import { kMeans } from '../search/k-means.js';
import { unitRows } from '../search/nearest-neighbors.js';
import type { Selected, Selector } from './selector.js';

/** Clusters of the target records, and the part of the first round's similarity below which it ends. */
const CENTERS = 100;
const LEAST = 0.95;

/**
 * SimCore (Kim, Bae & Yun, CVPR 2023): in each round every center of the target records (k-means, at most 100 centers) takes
 * the record of the pool that is most similar to it and not taken yet, until so many are chosen, or where nobody says how many
 * until the mean similarity of a round falls below 0.95 of the first. 2 · n · centers · width operations, and n log n for each center.
 * Departure: similarity is that of embeddings less the mean of the pool.
 */
export const simcore: Selector = {
  description: 'the records nearest to centers of the target records, until they grow too far (SimCore)',
  value: 'similarity',
  needs: 'target',
  async select({ vectors, width, count, target, seed, multiply }): Promise<Selected> {
    if (!target) throw new Error('simcore: no target');
    const n = vectors.length / width;
    const wanted = Math.min(count ?? n, n);
    const clusters = Math.min(CENTERS, target.length / width);
    const { centers } = await kMeans(target, width, { clusters, seed, multiply });
    const unit = unitRows(centers, width);
    const similarities = await Promise.all(
      Array.from({ length: clusters }, async (_, center) =>
        Float32Array.from(
          await multiply(vectors, unit.subarray(center * width, (center + 1) * width), width),
        ),
      ),
    );
    const orders = similarities.map((own) =>
      Int32Array.from({ length: n }, (_, record) => record).sort((a, b) => own[b] - own[a] || a - b),
    );
    const places = new Int32Array(clusters);
    const taken = new Uint8Array(n);
    const records: number[] = [];
    const values: number[] = [];
    let first: number | undefined;
    while (records.length < wanted) {
      // What a round takes is another's too until the round is over.
      const round = new Map<number, number>();
      let sum = 0;
      for (let center = 0; center < clusters; center++) {
        while (places[center] < n && taken[orders[center][places[center]]] === 1) places[center]++;
        if (places[center] >= n) continue;
        const record = orders[center][places[center]++];
        const similarity = similarities[center][record];
        sum += similarity / clusters;
        round.set(record, Math.max(similarity, round.get(record) ?? -1));
      }
      first ??= sum;
      if (count === undefined && sum < LEAST * first)
        return {
          ...chosen(records, values),
          ended: `the next ones are less than ${LEAST} times as similar to the target (${sum.toFixed(3)}) as the first (${first.toFixed(3)})`,
        };
      for (const [record, similarity] of [...round].slice(0, wanted - records.length)) {
        taken[record] = 1;
        records.push(record);
        values.push(similarity);
      }
    }
    return chosen(records, values);
  },
};

const chosen = (records: readonly number[], values: readonly number[]): Selected => ({
  records: Int32Array.from(records),
  values: Float64Array.from(values),
});
