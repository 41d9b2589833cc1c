import { describe, expect, it } from 'vitest';
import { learnersFor } from './learners.js';

const names = (size: Partial<Parameters<typeof learnersFor>[0]>, plainest: boolean) => {
  const { tried, tooSlow } = learnersFor(
    { rows: 1000, columns: 30, outputs: 1, folds: 1, ...size },
    plainest,
  );
  return [tried.map(([name]) => name), tooSlow];
};

describe('the simple models that are tried', () => {
  it('are all on the plainest features, and no forest on others', () => {
    expect(names({}, true)).toEqual([['linear', 'boosted trees', 'random forest', 'extra trees'], []]);
    expect(names({}, false)).toEqual([['linear', 'boosted trees'], []]);
  });

  it('are linear on many columns where rows are few, and what takes too long is named', () => {
    expect(names({ rows: 500, columns: 10_000, folds: 5 }, false)).toEqual([['linear', 'boosted trees'], []]);
    expect(names({ rows: 50_000, columns: 4500 }, false)).toEqual([['boosted trees'], ['linear']]);
    const [tried, tooSlow] = names({ rows: 12_000, columns: 4500, outputs: 1195 }, true);
    expect(tried).toEqual([]);
    expect(tooSlow).toHaveLength(4);
  });
});
