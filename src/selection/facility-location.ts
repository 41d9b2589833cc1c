import { permutation, random } from '../tensor/random.js';
import { type Selector, wantedOf } from './selector.js';

/** Records that are compared with each other at a time. */
const PART = 2000;

/**
 * A subset that stands for all: it makes Σ over records of the similarity to the nearest chosen one as large as a greedy
 * choice can, within 1 − 1/e of the largest (facility location; Nemhauser, Wolsey & Fisher 1978). As in INGENIOUS (Renduchintala
 * et al., EMNLP 2023) the pool is cut into parts at random, here of at most 2,000, and from each the same share is chosen, by lazy evaluation (Minoux 1978):
 * a gain never grows, so one that is still the largest need not be looked at against the others. n · 2,000 · width operations.
 * Similarity is (1 + cosine) / 2, so that it is not negative.
 */
export const facilityLocation: Selector = {
  description: 'a subset that stands for all records (facility location, lazy greedy in parts)',
  value: 'gain',
  async select(pool) {
    const { vectors, width, seed, multiply } = pool;
    const count = wantedOf(pool);
    const n = vectors.length / width;
    const order = permutation(n, random(seed, 'facility location'));
    const parts = Math.ceil(n / PART);
    const found: { record: number; gain: number }[] = [];
    for (let part = 0; part < parts; part++) {
      const [first, last] = [Math.floor((part * n) / parts), Math.floor(((part + 1) * n) / parts)];
      const own = order.subarray(first, last);
      const wanted = Math.floor((last * count) / n) - Math.floor((first * count) / n);
      const rows = new Float32Array(own.length * width);
      own.forEach((record, i) => {
        rows.set(vectors.subarray(record * width, (record + 1) * width), i * width);
      });
      const similarities = (await multiply(rows, rows, width)).map((cosine) => (1 + cosine) / 2);
      for (const { row, gain } of lazyGreedy(similarities, own.length, wanted))
        found.push({ record: own[row], gain });
    }
    found.sort((a, b) => b.gain - a.gain || a.record - b.record);
    return {
      records: Int32Array.from(found, ({ record }) => record),
      values: Float64Array.from(found, ({ gain }) => gain),
    };
  },
};

/**
 * Rows of a matrix of similarities float32[n, n], none below 0, in the order in which a greedy choice takes them, with what each adds to
 * Σᵢ max over the chosen of similarity.
 * @internal
 */
export function lazyGreedy(
  similarities: ArrayLike<number>,
  n: number,
  count: number,
): { readonly row: number; readonly gain: number }[] {
  const covered = new Float64Array(n);
  const gainOf = (row: number) => {
    let gain = 0;
    for (let i = 0; i < n; i++) gain += Math.max(similarities[row * n + i] - covered[i], 0);
    return gain;
  };
  // Upper bounds of the gains, in descending order.
  const queue = Array.from({ length: n }, (_, row) => ({ row, gain: gainOf(row) })).sort(
    (a, b) => b.gain - a.gain || a.row - b.row,
  );
  const taken: { row: number; gain: number }[] = [];
  while (taken.length < Math.min(count, n)) {
    const top = queue.shift()!;
    const gain = gainOf(top.row);
    if (queue.length > 0 && gain < queue[0].gain) {
      let [low, high] = [0, queue.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (queue[middle].gain >= gain) low = middle + 1;
        else high = middle;
      }
      queue.splice(low, 0, { row: top.row, gain });
      continue;
    }
    for (let i = 0; i < n; i++) covered[i] = Math.max(covered[i], similarities[top.row * n + i]);
    taken.push({ row: top.row, gain });
  }
  return taken;
}
