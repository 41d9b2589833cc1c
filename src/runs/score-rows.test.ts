import { describe, expect, it } from 'vitest';
import { boundsOf } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';
import { ScoreRows } from './score-rows.js';

const bounds = boundsOf('rmse');
const reason = () => 'none';

function rowsOf(scores: Record<string, readonly (readonly number[])[]>, shots?: number): ScoreRows {
  const rows = new ScoreRows();
  for (const [method, splits] of Object.entries(scores))
    for (const [split, seeds] of splits.entries())
      for (const value of seeds)
        rows.add(
          { method, metric: 'rmse', ...(shots && { shots }) },
          { split, value, valid: 2 * value, seconds: 1 },
        );
  return rows;
}

describe('ScoreRows', () => {
  it('has an interval over seeds of one split, and over the means of several', () => {
    const [one] = rowsOf({ sma: [[1, 2, 4]] }).summarized(reason);
    expect(one).toEqual({
      method: 'sma',
      metric: 'rmse',
      perSeed: [1, 2, 4],
      validPerSeed: [2, 4, 8],
      ...summarize([1, 2, 4], bounds),
      seconds: 3,
    });
    const splits = {
      sma: [
        [1, 3],
        [4, 4],
        [5, 7],
      ],
    };
    const [several] = rowsOf(splits).summarized(reason);
    expect(several).toMatchObject({
      perSeed: [1, 3, 4, 4, 5, 7],
      perSplit: [2, 4, 6],
      ...summarize([2, 4, 6], bounds),
    });
  });

  it('orders scores by split, however they came', () => {
    const rows = new ScoreRows();
    for (const [split, value] of [
      [0, 1],
      [1, 3],
      [0, 2],
      [1, 4],
    ])
      rows.add({ method: 'untrained', metric: 'rmse' }, { split, value, seconds: 0 });
    expect(rows.summarized(reason)[0]).toMatchObject({ perSeed: [1, 2, 3, 4], perSplit: [1.5, 3.5] });
  });

  it('takes differences by split and seed: what both have in common falls out', () => {
    const [difference] = rowsOf({
      sma: [
        [1, 2],
        [11, 12],
      ],
      untrained: [
        [2, 2],
        [12, 13],
      ],
    }).differences();
    expect(difference).toEqual({
      method: 'sma',
      minus: 'untrained',
      metric: 'rmse',
      ...summarize([-0.5, -1]),
    });
    const [bySeed] = rowsOf({ sma: [[1, 2, 3]], untrained: [[2, 3.5, 4]] }, 5).differences();
    expect(bySeed).toEqual({
      method: 'sma',
      minus: 'untrained',
      metric: 'rmse',
      shots: 5,
      ...summarize([-1, -1.5, -1]),
    });
  });

  it('pairs a probe of each name with its own, and tells nothing where no pair has a scatter', () => {
    const rows = rowsOf({
      'sma, linear': [[1], [2]],
      'sma, other': [[1], [2]],
      'untrained, linear': [
        [3, 5],
        [6, 6],
      ],
    });
    expect(rows.differences()).toMatchObject([
      { method: 'sma, linear', minus: 'untrained, linear', mean: -3.5, n: 2 },
    ]);
    expect(rowsOf({ sma: [[1]], untrained: [[2]] }).differences()).toEqual([]);
    expect(rowsOf({ sma: [[1]], untrained: [[2, 3]] }).differences()).toEqual([]);
    expect(rowsOf({ sma: [[1, Number.NaN]], untrained: [[2, 3]] }).differences()).toEqual([]);
  });
});
