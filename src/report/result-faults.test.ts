import { describe, expect, it } from 'vitest';
import { copiedCells, repeatedCells, strayCells } from './result-faults.js';
import type { Cell, Results } from './results.js';

const cell = (seed: number, more: Partial<Cell> = {}): Cell => ({
  task: 't',
  method: 'm',
  seed,
  metric: 'rmse',
  valid: 0.31 + seed / 100,
  test: 0.4123 + seed / 1000,
  replicates: Array.from({ length: 40 }, (_, i) => 0.4 + i / 1000 + seed / 10_000),
  chosen: {},
  seconds: 1,
  seconds_choosing: 0,
  key: 'k',
  ...more,
});
const tasksOf = (test: number) => [{ name: 't', records: { train: 8, valid: 4, test } }] as Results['tasks'];
const tasks = tasksOf(8);
/** Resampled accuracies of 1,000 records, around so many of them wrong. */
const accuracies = (wrong: number, spread: number) =>
  Array.from({ length: 200 }, (_, i) => 1 - (wrong + (i % (2 * spread + 1)) - spread) / 1000);

describe('results that cannot be', () => {
  it('are none of a benchmark as it is', () => {
    const cells = [cell(0), cell(1), cell(0, { method: 'other' })];
    for (const faults of [
      repeatedCells({ cells, tasks }),
      copiedCells({ cells, tasks }),
      strayCells({ cells }),
    ])
      expect(faults).toEqual([]);
  });

  it('are cells that are there twice, and seeds with the scores of another', () => {
    expect(repeatedCells({ cells: [cell(0), cell(0, { test: 1, replicates: [] })], tasks })).toEqual([
      't · m · seed 0: is there twice',
    ]);
    const { test, replicates } = cell(0);
    expect(repeatedCells({ cells: [cell(0), cell(1, { test, replicates })], tasks })).toEqual([
      't · m · seed 1: its scores are those of seed 0',
    ]);
  });

  it('are test scores that are validation scores, unless both are shares of records', () => {
    expect(copiedCells({ cells: [cell(0, { valid: 0.4123 })], tasks })).toHaveLength(1);
    expect(copiedCells({ cells: [cell(0, { valid: 0.75, test: 0.75 })], tasks })).toEqual([]);
    expect(copiedCells({ cells: [cell(0, { valid: null, test: null })], tasks })).toEqual([]);
  });

  it('are none of a constant, of few mistakes, and of counts of few records', () => {
    const constant = { metric: 'roc-auc', valid: 0.5, test: 0.5, replicates: Array(200).fill(0.5) };
    const cells = [cell(0, constant), cell(1, constant)];
    for (const faults of [repeatedCells, copiedCells])
      expect(faults({ cells, tasks: tasksOf(209) })).toEqual([]);
    const seeds = (more: Partial<Cell>, test: number) =>
      repeatedCells({ cells: [cell(0, more), cell(1, more)], tasks: tasksOf(test) });
    expect(seeds({ metric: 'accuracy', test: 0.995, replicates: accuracies(5, 5) }, 1000)).toEqual([]);
    expect(seeds({ metric: 'accuracy', test: 0.8, replicates: accuracies(200, 30) }, 1000)).toHaveLength(1);
    const { replicates } = cell(0);
    const ranked = { metric: 'roc-auc', valid: 0.41237, test: 0.41237, replicates };
    expect(seeds(ranked, 49)).toEqual([]);
    expect(seeds(ranked, 50)).toHaveLength(1);
    expect(copiedCells({ cells: [cell(0, ranked)], tasks: tasksOf(49) })).toEqual([]);
    expect(copiedCells({ cells: [cell(0, ranked)], tasks: tasksOf(50) })).toHaveLength(1);
    expect(seeds({ test: 0.41237, replicates }, 8)).toHaveLength(1);
  });

  it('are test scores far from those of resampled records', () => {
    expect(strayCells({ cells: [cell(0, { test: 0.3 })] })).toHaveLength(1);
    expect(strayCells({ cells: [cell(0, { replicates: [null, 1] })] })).toEqual([]);
  });
});
