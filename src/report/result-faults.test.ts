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
const tasks = [{ name: 't', records: { train: 8, valid: 4, test: 8 } }] as Results['tasks'];

describe('results that cannot be', () => {
  it('are none of a benchmark as it is', () => {
    const cells = [cell(0), cell(1), cell(0, { method: 'other' })];
    for (const faults of [repeatedCells({ cells }), copiedCells({ cells, tasks }), strayCells({ cells })])
      expect(faults).toEqual([]);
  });

  it('are cells that are there twice, and seeds with the scores of another', () => {
    expect(repeatedCells({ cells: [cell(0), cell(0, { test: 1, replicates: [] })] })).toEqual([
      't · m · seed 0: is there twice',
    ]);
    const { test, replicates } = cell(0);
    expect(repeatedCells({ cells: [cell(0), cell(1, { test, replicates })] })).toEqual([
      't · m · seed 1: its scores are those of seed 0',
    ]);
  });

  it('are test scores that are validation scores, unless both are shares of records', () => {
    expect(copiedCells({ cells: [cell(0, { valid: 0.4123 })], tasks })).toHaveLength(1);
    expect(copiedCells({ cells: [cell(0, { valid: 0.75, test: 0.75 })], tasks })).toEqual([]);
    expect(copiedCells({ cells: [cell(0, { valid: null, test: null })], tasks })).toEqual([]);
  });

  it('are test scores far from those of resampled records', () => {
    expect(strayCells({ cells: [cell(0, { test: 0.3 })] })).toHaveLength(1);
    expect(strayCells({ cells: [cell(0, { replicates: [null, 1] })] })).toEqual([]);
  });
});
