import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupFolds } from './folds.js';

describe('folds', () => {
  it('hold every record once, groups together, and learn from all others', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 6, maxLength: 80 });
    fc.assert(
      fc.property(groups, fc.integer({ min: 2, max: 6 }), (of, count) => {
        fc.pre(new Set(of).size > 1);
        const folds = groupFolds(of, count, 1);
        expect(folds.length).toBe(Math.min(count, new Set(of).size));
        const held = folds.flatMap((fold) => Array.from(fold.held));
        expect(held.sort((a, b) => a - b)).toEqual(Array.from(of.keys()));
        for (const { train, held: own } of folds) {
          expect(train.length + own.length).toBe(of.length);
          const known = new Set(Array.from(train, (record) => of[record]));
          for (const record of own) expect(known.has(of[record])).toBe(false);
        }
      }),
    );
  });

  it('are none of a single group, as one fold would have nothing to learn from', () => {
    expect(() => groupFolds([3, 3, 3], 5, 0)).toThrow('expected at least 2 groups');
  });

  it('are of about one size where groups are small, and differ with the seed alone', () => {
    const groups = Array.from({ length: 103 }, (_, i) => i);
    const sizes = groupFolds(groups, 5, 0).map(({ held }) => held.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(groupFolds(groups, 5, 0)).toEqual(groupFolds(groups, 5, 0));
    expect(groupFolds(groups, 5, 0)).not.toEqual(groupFolds(groups, 5, 1));
  });
});
