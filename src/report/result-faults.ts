/** What cannot be in the results of a benchmark, whatever was measured. */
import type { Cell, Results } from './results.js';

const nameOf = ({ task, method, seed }: Cell) => `${task} · ${method} · seed ${seed}`;

/** Metrics that count or rank records, so that few records give few scores. */
const COUNTING: ReadonlySet<string> = new Set(['accuracy', 'roc-auc', 'pr-auc', 'f1', 'mcc', 'spearman']);

/** Of fewer test records than this two honest models may well have the same ones wrong. */
const FEW_RECORDS = 50;

/** Resampled scores of a model with up to about ten mistakes, which another may share, have at most so many values. */
const FEW_VALUES = 20;

/** Whether two honest scores may agree to the last digit: no resample changes the score, few records are wrong, or few are there. */
function mayAgree({ task, metric, replicates }: Cell, tasks: Results['tasks']): boolean {
  const records = tasks.find(({ name }) => name === task)?.records.test ?? Number.POSITIVE_INFINITY;
  const few = COUNTING.has(metric) && records < FEW_RECORDS;
  return few || (replicates.length > FEW_VALUES && new Set(replicates).size <= FEW_VALUES);
}

/** Cells that stand for one task, method and seed twice, and seeds of a method with the same resampled scores. */
export function repeatedCells({ cells, tasks }: Pick<Results, 'cells' | 'tasks'>): string[] {
  const named = new Map<string, Cell>();
  const scored = new Map<string, Cell>();
  return cells.flatMap((cell) => {
    const faults: string[] = [];
    if (named.has(nameOf(cell))) faults.push(`${nameOf(cell)}: is there twice`);
    named.set(nameOf(cell), cell);
    const { task, method, replicates, test } = cell;
    if (replicates.length === 0 || mayAgree(cell, tasks)) return faults;
    const key = JSON.stringify([task, method, test, replicates]);
    const before = scored.get(key);
    scored.set(key, before ?? cell);
    if (before && before.seed !== cell.seed)
      faults.push(`${nameOf(cell)}: its scores are those of seed ${before.seed}`);
    return faults;
  });
}

/**
 * Test scores that are the validation scores to the last digit, of numbers that are no share of the test records and that
 * two scores would not share by chance.
 */
export function copiedCells({ cells, tasks }: Pick<Results, 'cells' | 'tasks'>): string[] {
  return cells.flatMap((cell) => {
    const { valid, test } = cell;
    if (test === null || test !== valid || mayAgree(cell, tasks)) return [];
    const records = tasks.find(({ name }) => name === cell.task)?.records.test ?? 1;
    const share = Number.isInteger(test) || Math.abs(test * records - Math.round(test * records)) < 1e-6;
    return share ? [] : [`${nameOf(cell)}: the test score is the validation score, ${test}`];
  });
}

/** Test scores outside of what their resampled records give: 200 of them span more than 4 deviations either way. */
export function strayCells({ cells }: Pick<Results, 'cells'>): string[] {
  return cells.flatMap((cell) => {
    const values = cell.replicates.filter((value) => value !== null);
    if (cell.test === null || values.length < 20) return [];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = high - low;
    return cell.test < low - margin || cell.test > high + margin
      ? [
          `${nameOf(cell)}: the test score ${cell.test} is far from those of resampled records, ${low} to ${high}`,
        ]
      : [];
  });
}
