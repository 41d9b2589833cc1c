/** The rows that are most similar to a row, found by comparing it with all. */
import type { MatrixProduct } from '../numerics/matrix-product.js';

/** The k rows most similar to each query, most similar first; of equally similar ones the earlier row. */
export interface Neighbors {
  readonly k: number;
  /** int32[queries, k] */
  readonly rows: Int32Array;
  /** float32[queries, k] */
  readonly similarities: Float32Array;
}

const QUERY_BLOCK = 256;
const BASE_BLOCK = 4096;

/** No neighbours yet, to be filled by {@link keepMostSimilar}; a place that stays empty has row −1 and similarity −∞. */
export const noNeighbors = (queries: number, k: number): Neighbors => ({
  k,
  rows: new Int32Array(queries * k).fill(-1),
  similarities: new Float32Array(queries * k).fill(Number.NEGATIVE_INFINITY),
});

/**
 * Merges `count` more similarities into the sorted neighbours of a query. `rowOf` gives the row of each; the order in which
 * rows come does not matter.
 */
export function keepMostSimilar(
  { k, rows, similarities }: Neighbors,
  query: number,
  scores: Float32Array,
  count: number,
  rowOf: (i: number) => number,
): void {
  const start = query * k;
  const last = start + k - 1;
  for (let i = 0; i < count; i++) {
    const score = scores[i];
    if (!(score >= similarities[last])) continue;
    const row = rowOf(i);
    const precedes = (slot: number) =>
      score > similarities[slot] || (score === similarities[slot] && row < rows[slot]);
    if (!precedes(last)) continue;
    let slot = last;
    for (; slot > start && precedes(slot - 1); slot--) {
      similarities[slot] = similarities[slot - 1];
      rows[slot] = rows[slot - 1];
    }
    similarities[slot] = score;
    rows[slot] = row;
  }
}

/**
 * Exact search by inner product, so by cosine similarity when rows have unit length: 2 · m · n · dimension operations. Works
 * through blocks of 256 × 4096 similarities (4 MiB), so memory does not grow with queries × base.
 * @param queries float32[m, dimension]
 * @param base float32[n, dimension], n ≥ k
 */
export async function nearestNeighbors(
  queries: Float32Array,
  base: Float32Array,
  dimension: number,
  k: number,
  multiply: MatrixProduct,
): Promise<Neighbors> {
  const m = queries.length / dimension;
  const n = base.length / dimension;
  const found = noNeighbors(m, k);
  for (let query = 0; query < m; query += QUERY_BLOCK) {
    const queryEnd = Math.min(query + QUERY_BLOCK, m);
    const a = queries.subarray(query * dimension, queryEnd * dimension);
    for (let first = 0; first < n; first += BASE_BLOCK) {
      const count = Math.min(BASE_BLOCK, n - first);
      const scores = await multiply(
        a,
        base.subarray(first * dimension, (first + count) * dimension),
        dimension,
      );
      const rowOf = (i: number) => first + i;
      for (let q = query; q < queryEnd; q++)
        keepMostSimilar(
          found,
          q,
          scores.subarray((q - query) * count, (q - query + 1) * count),
          count,
          rowOf,
        );
    }
  }
  return found;
}

/** Rows scaled to unit length; a row of zeros stays zero, and is as similar to one row as to another. */
export function unitRows(rows: Float32Array, dimension: number): Float32Array {
  const out = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += dimension) {
    let squares = 0;
    for (let i = start; i < start + dimension; i++) squares += rows[i] * rows[i];
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let i = start; i < start + dimension; i++) out[i] = rows[i] * scale;
  }
  return out;
}

/** The neighbours of rows among themselves, from a search for one more: without the row itself. */
export function withoutSelf({ k, rows, similarities }: Neighbors): Neighbors {
  const queries = rows.length / k;
  const others = noNeighbors(queries, k - 1);
  for (let query = 0; query < queries; query++) {
    const own = rows.subarray(query * k, (query + 1) * k).indexOf(query);
    let to = query * (k - 1);
    for (let i = 0; i < k && to < (query + 1) * (k - 1); i++) {
      // Where more than k rows are as similar as it is to itself, it may not be among them.
      if (i === own) continue;
      others.rows[to] = rows[query * k + i];
      others.similarities[to++] = similarities[query * k + i];
    }
  }
  return others;
}
