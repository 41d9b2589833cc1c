import { describe, expect, it } from 'vitest';
import { type FitSize, learnersFor } from './learners.js';

const binary = { task: 'binary', targets: 1, outputs: 1 } as const;

const names = (size: Partial<FitSize>, forests: boolean) => {
  const all = { rows: 1000, columns: 30, density: 1, labels: binary, folds: 1, ...size };
  const { tried, tooSlow } = learnersFor(all, { forests, linearAlone: false });
  return [tried.map(([name]) => name), tooSlow];
};

describe('the simple models that are tried', () => {
  it('are all where forests are asked for, and else no forest', () => {
    expect(names({}, true)).toEqual([['linear', 'boosted trees', 'random forest', 'extra trees'], []]);
    expect(names({}, false)).toEqual([['linear', 'boosted trees'], []]);
  });

  it('are linear on many columns where rows are few, and what takes too long is named', () => {
    expect(names({ rows: 500, columns: 2000, folds: 5 }, false)).toEqual([['linear', 'boosted trees'], []]);
    expect(names({ rows: 50_000, columns: 4500, density: 0.03 }, false)).toEqual([
      ['boosted trees'],
      ['linear'],
    ]);
    // Values of the same are learned by conjugate gradients.
    const values = { rows: 50_000, columns: 4500, labels: { ...binary, task: 'regression' } } as const;
    expect(names({ ...values, density: 0.03 }, false)[0]).toEqual(['linear', 'boosted trees']);
    expect(names({ ...values, density: 0.6 }, false)[1]).toContain('linear');
    const labels = { task: 'multiclass', targets: 1, outputs: 1195 } as const;
    const [tried, tooSlow] = names({ rows: 12_000, columns: 4500, labels }, true);
    expect(tried).toEqual([]);
    expect(tooSlow).toHaveLength(4);
  });

  it('are forests where a node tries few columns: the root of many for classes, a third of them for values', () => {
    const size = { rows: 5000, columns: 3000, density: 0.5, folds: 5 };
    const forests = ['random forest', 'extra trees'];
    expect(names(size, true)[0]).toEqual(expect.arrayContaining(forests));
    expect(names({ ...size, labels: { ...binary, task: 'regression' } }, true)[1]).toEqual(
      expect.arrayContaining(forests),
    );
  });

  it('are linear alone on features that are made for that', () => {
    const size = { rows: 60, columns: 9996, density: 1, labels: { ...binary, outputs: 2 }, folds: 5 };
    const { tried } = learnersFor(size, { forests: false, linearAlone: true });
    expect(tried.map(([name]) => name)).toEqual(['linear']);
  });
});
