import { describe, expect, it } from 'vitest';
import { bm25, ranking, reciprocalRankFusion } from './bm25.js';

/** Lines of The Sonnets (Shakespeare). */
const texts = [
  'From fairest creatures we desire increase',
  'That thereby beauty’s rose might never die',
  'But as the riper should by time decease',
  'His tender heir might bear his memory',
  'But thou, contracted to thine own bright eyes',
];

describe('bm25', () => {
  it('gives the scores of its formula', () => {
    // As rank_bm25 0.2.2 has BM25Okapi, with Lucene's idf: "might" is in 2 of 5 texts, "memory" in 1; lengths 6 8 8 7 8.
    const idf = (n: number) => Math.log(1 + (5 - n + 0.5) / (n + 0.5));
    const weight = (length: number) => 2.2 / (1 + 1.2 * (0.25 + (0.75 * length) / 7.4));
    const scores = bm25(texts)('memory, might!');
    expect(scores[1]).toBeCloseTo(idf(2) * weight(8), 12);
    expect(scores[3]).toBeCloseTo((idf(2) + idf(1)) * weight(7), 12);
    expect([scores[0], scores[2], scores[4]]).toEqual([0, 0, 0]);
    expect(ranking(scores)).toEqual([3, 1]);
  });

  it('counts a word of a query as often as it is there, saturating in a text', () => {
    const scores = bm25(texts);
    const once = scores('his')[3];
    expect(scores('his his')[3]).toBeCloseTo(2 * once, 12);
    // Two occurrences are worth more than one and less than two.
    const two = bm25(['his his tender', 'his own tender', 'none of it']);
    expect(two('his')[0]).toBeGreaterThan(two('his')[1]);
    expect(two('his')[0]).toBeLessThan(2 * two('his')[1]);
  });

  it('finds nothing for a query without words of the texts', () => {
    expect(ranking(bm25(texts)('…'))).toEqual([]);
    expect(ranking(bm25(['', ''])('time'))).toEqual([]);
  });
});

describe('reciprocalRankFusion', () => {
  it('sums 1 / (60 + rank) over the rankings', () => {
    // 2: 1/61 + 1/62; 1: 1/62 + 1/61, the same, so the earlier text first; 7: 1/63.
    expect(
      reciprocalRankFusion([
        [2, 1, 7],
        [1, 2],
      ]),
    ).toEqual([1, 2, 7]);
    expect(reciprocalRankFusion([[3, 1], [3]])).toEqual([3, 1]);
  });
});
