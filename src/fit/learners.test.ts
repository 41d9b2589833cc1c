import { describe, expect, it } from 'vitest';
import { type FitSize, learnersFor } from './learners.js';

const names = (size: Partial<FitSize>, plainest: boolean) => {
  const all = { rows: 1000, columns: 30, density: 1, outputs: 1, folds: 1, ...size };
  const { tried, tooSlow } = learnersFor(all, { plainest, linearAlone: false });
  return [tried.map(([name]) => name), tooSlow];
};

describe('the simple models that are tried', () => {
  it('are all on the plainest features, and no forest on others', () => {
    expect(names({}, true)).toEqual([['linear', 'boosted trees', 'random forest', 'extra trees'], []]);
    expect(names({}, false)).toEqual([['linear', 'boosted trees'], []]);
  });

  it('are linear on many columns where rows are few, and what takes too long is named', () => {
    expect(names({ rows: 500, columns: 2000, folds: 5 }, false)).toEqual([['linear', 'boosted trees'], []]);
    expect(names({ rows: 50_000, columns: 4500, density: 0.03 }, false)).toEqual([
      ['boosted trees'],
      ['linear'],
    ]);
    const [tried, tooSlow] = names({ rows: 12_000, columns: 4500, outputs: 1195 }, true);
    expect(tried).toEqual([]);
    expect(tooSlow).toHaveLength(4);
  });

  it('are linear alone on features that are made for that', () => {
    const size = { rows: 60, columns: 9996, density: 1, outputs: 2, folds: 5 };
    const { tried } = learnersFor(size, { plainest: false, linearAlone: true });
    expect(tried.map(([name]) => name)).toEqual(['linear']);
  });
});
