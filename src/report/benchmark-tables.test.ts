import { describe, expect, it } from 'vitest';
import { differenceTable } from './benchmark-tables.js';
import type { Results } from './results.js';

/** SMA is 0.1 better than random masking with every seed and on every draw of test records. */
function resultsOf(seeds: number): Results {
  const cell = (method: string, seed: number, test: number): Results['cells'][number] => ({
    task: 'task',
    method,
    seed,
    metric: 'accuracy',
    valid: test,
    test,
    replicates: [test - 0.02, test, test + 0.02],
    chosen: {},
    seconds: 1,
    seconds_choosing: 0,
    key: '',
  });
  const task = { name: 'task', title: 'Task', metric: 'accuracy', higherIsBetter: true };
  const records = { train: 1, valid: 1, test: 1 };
  return {
    suite: 'suite',
    title: 'Suite',
    tasks: [{ ...task, split: '', source: '', records }],
    methods: ['SMA', 'random masking'].map((name) => ({ name, description: name })),
    pretraining: [],
    cells: Array.from({ length: seeds }, (_, seed) => [
      cell('SMA', seed, 0.7),
      cell('random masking', seed, 0.6),
    ]).flat(),
    machine: '',
    versions: {},
  };
}

describe('the table of differences', () => {
  const cellsOf = (seeds: number) =>
    differenceTable(resultsOf(seeds), 'SMA', 'random masking', 'markdown')
      .split('\n')[2]
      .split('|')
      .slice(3, -1)
      .map((text) => text.trim());

  it('has the mean with both intervals', () => {
    expect(cellsOf(3)).toEqual([
      '+0.100',
      '+0.100 to +0.100',
      '+0.100 to +0.100',
      ...['< 0.001', '< 0.001', '< 0.001'],
      '3',
    ]);
  });

  it('has no interval that draws seeds where there are fewer than three, nor over a single one', () => {
    expect(cellsOf(2)).toEqual(['+0.100', '+0.100 to +0.100', '', '', '', '', '2']);
    expect(cellsOf(1)).toEqual(['+0.100', '', '', '', '', '', '1']);
  });

  it('is over the test records alone where chance plays no part in either method', () => {
    const results = resultsOf(1);
    const methods = results.methods.map((method) => ({ ...method, random: false as const }));
    const table = differenceTable({ ...results, methods }, 'SMA', 'random masking', 'markdown');
    expect(table).toContain('+0.100 to +0.100');
  });

  it('stays inside what a difference of the metric can be', () => {
    const results = resultsOf(2);
    const tests = [1, 0, 0.6, 0.3];
    const cells = results.cells.map((cell, i) => ({ ...cell, test: tests[i] }));
    const table = differenceTable({ ...results, cells }, 'SMA', 'random masking', 'markdown');
    const [low, high] = /([−+][\d.]+) to ([−+][\d.]+)/
      .exec(table)!
      .slice(1)
      .map((text) => Number(text.replace('−', '-')));
    expect(low).toBeGreaterThanOrEqual(-1);
    expect(high).toBeLessThanOrEqual(1);
  });
});
