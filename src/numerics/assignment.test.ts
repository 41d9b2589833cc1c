import { expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { bestAssignment } from './assignment.js';

function* permutations(items: readonly number[], length: number): Generator<number[]> {
  if (length === 0) yield [];
  else
    for (const item of items)
      for (const rest of permutations(
        items.filter((other) => other !== item),
        length - 1,
      ))
        yield [item, ...rest];
}

it('is as good as the best of all assignments', () => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 3],
    [5, 5],
    [4, 6],
  ]) {
    for (let seed = 0; seed < 20; seed++) {
      const draw = random(seed, 'assignment', rows, columns);
      const values = Float64Array.from({ length: rows * columns }, () => Math.floor(20 * draw.uniform()));
      const sum = (assigned: readonly number[]) =>
        assigned.reduce((total, column, row) => total + values[row * columns + column], 0);
      const found = bestAssignment(values, rows, columns);
      expect(new Set(found).size).toBe(rows);
      const best = Math.max(...[...permutations([...Array(columns).keys()], rows)].map(sum));
      expect(sum(found)).toBe(best);
    }
  }
});
