/** What cannot be in the results of a benchmark, whatever was measured. */
import type { Cell, Results } from './results.js';

const nameOf = ({ task, method, seed }: Cell) => `${task} · ${method} · seed ${seed}`;

/** Cells that stand for one task, method and seed twice, and seeds of a method with the same resampled scores. */
export function repeatedCells({ cells }: Pick<Results, 'cells'>): string[] {
  const named = new Map<string, Cell>();
  const scored = new Map<string, Cell>();
  return cells.flatMap((cell) => {
    const faults: string[] = [];
    if (named.has(nameOf(cell))) faults.push(`${nameOf(cell)}: is there twice`);
    named.set(nameOf(cell), cell);
    const { task, method, replicates, test } = cell;
    // Resampled scores that are all alike may be met twice by chance.
    if (new Set(replicates).size < 3) return faults;
    const key = JSON.stringify([task, method, test, replicates]);
    const before = scored.get(key);
    scored.set(key, before ?? cell);
    if (before && before.seed !== cell.seed)
      faults.push(`${nameOf(cell)}: its scores are those of seed ${before.seed}`);
    return faults;
  });
}

/** Test scores that are the validation scores to the last digit, of numbers that are no share of the test records. */
export function copiedCells({ cells, tasks }: Pick<Results, 'cells' | 'tasks'>): string[] {
  return cells.flatMap((cell) => {
    const { valid, test } = cell;
    if (test === null || test !== valid) return [];
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
