/** Texts ranked by the words they share with a query. */

const K1 = 1.2;
const B = 0.75;

/** Letters and digits without a gap, in lower case. */
const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

function countsOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/**
 * Okapi BM25 (Robertson & Zaragoza 2009) with k₁ = 1.2 and b = 0.75: for each word w of the query
 * ln(1 + (N − n_w + ½) / (n_w + ½)) · f (k₁ + 1) / (f + k₁ (1 − b + b · length / mean length)), where n_w of N texts have the
 * word and this one has it f times. Words are as they stand: no stemming, no stop words.
 * The function that comes back gives a query's score of each text, float64[texts].
 */
export function bm25(texts: readonly string[]): (query: string) => Float64Array {
  const postings = new Map<string, { readonly text: number; readonly count: number }[]>();
  const lengths = texts.map((text, i) => {
    const words = wordsOf(text);
    for (const [word, count] of countsOf(words)) {
      const list = postings.get(word);
      if (list) list.push({ text: i, count });
      else postings.set(word, [{ text: i, count }]);
    }
    return words.length;
  });
  const meanLength = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  return (query) => {
    const scores = new Float64Array(texts.length);
    for (const [word, times] of countsOf(wordsOf(query))) {
      const having = postings.get(word) ?? [];
      const rarity = Math.log(1 + (texts.length - having.length + 0.5) / (having.length + 0.5));
      for (const { text, count } of having) {
        const saturation = count + K1 * (1 - B + (B * lengths[text]) / meanLength);
        scores[text] += (times * rarity * count * (K1 + 1)) / saturation;
      }
    }
    return scores;
  };
}

/** Texts from the highest score to the lowest, those without a shared word left out; of equal ones the earlier first. */
export const ranking = (scores: Float64Array): number[] =>
  Array.from(scores.keys())
    .filter((text) => scores[text] > 0)
    .sort((a, b) => scores[b] - scores[a] || a - b);

/**
 * Rankings joined by reciprocal rank fusion (Cormack, Clarke & Büttcher 2009): the score of a text is Σ 1 / (60 + rank) over
 * the rankings that have it.
 */
export function reciprocalRankFusion(rankings: readonly (readonly number[])[]): number[] {
  const scores = new Map<number, number>();
  for (const ranked of rankings)
    ranked.forEach((text, i) => {
      scores.set(text, (scores.get(text) ?? 0) + 1 / (61 + i));
    });
  return [...scores].sort(([a, x], [b, y]) => y - x || a - b).map(([text]) => text);
}
