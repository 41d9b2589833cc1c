import { describe, expect, it } from 'vitest';
import { normalizedGain, recallWithin } from './ranking.js';

const relevance = new Map([
  [4, 3],
  [9, 1],
  [2, 0],
]);

describe('normalizedGain', () => {
  it('is 1 for the best order, and what trec_eval gives for another', () => {
    expect(normalizedGain([4, 9, 2], relevance, 10)).toBe(1);
    // pytrec_eval 0.5, ndcg_cut_10 of 9, 5, 4: (1 + 3 / 2) / (3 + 1 / log2 3)
    expect(normalizedGain([9, 5, 4], relevance, 10)).toBeCloseTo(2.5 / (3 + 1 / Math.log2(3)), 12);
  });

  it('looks at the first k alone', () => {
    expect(normalizedGain([5, 4], relevance, 1)).toBe(0);
    expect(normalizedGain([4, 5], relevance, 1)).toBe(1);
    expect(normalizedGain([4], new Map([[4, 0]]), 10)).toBeNaN();
  });
});

describe('recallWithin', () => {
  it('counts what is relevant, however much', () => {
    expect(recallWithin([9, 2, 4], relevance, 2)).toBe(0.5);
    expect(recallWithin([9, 2, 4], relevance, 3)).toBe(1);
    expect(recallWithin([1], new Map(), 3)).toBeNaN();
  });
});
