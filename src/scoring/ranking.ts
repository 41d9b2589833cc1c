/** How well a ranking puts first what is relevant, as trec_eval and BEIR measure it. */

/** How relevant each item is; one that is not there is not relevant. */
export type Relevance = ReadonlyMap<number, number>;

const discounted = (gains: readonly number[]) =>
  gains.reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0);

/**
 * Normalised discounted cumulative gain of the first k (Järvelin & Kekäläinen 2002): Σ relevance / log₂(1 + rank), in multiples
 * of the largest possible. NaN where nothing is relevant.
 */
export function normalizedGain(ranked: readonly number[], relevance: Relevance, k: number): number {
  const best = [...relevance.values()].sort((a, b) => b - a).slice(0, k);
  return discounted(ranked.slice(0, k).map((item) => relevance.get(item) ?? 0)) / discounted(best);
}

/** Share of what is relevant that is among the first k. NaN where nothing is relevant. */
export function recallWithin(ranked: readonly number[], relevance: Relevance, k: number): number {
  const relevant = [...relevance].filter(([, gain]) => gain > 0).map(([item]) => item);
  const first = new Set(ranked.slice(0, k));
  return relevant.filter((item) => first.has(item)).length / relevant.length;
}
