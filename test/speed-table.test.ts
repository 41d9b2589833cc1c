/** The tables that `npm run speed` prints and `npm run speed -- show` prints again. */
import { expect, it } from 'vitest';
import { comparisonTable } from '../speed/comparison-table.mjs';

const summary = (median: number) => ({ median, quartiles: [median, median] as [number, number] });
const row = (contender: string, median: number) => ({
  contender,
  version: '',
  threads: 2,
  step: summary(median),
});
const linesOf = (table: string) =>
  table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));

it('divides by the time of Lacuna on the CPU, and has no column that no row fills', () => {
  const [head, , product, cpu, device] = linesOf(
    comparisonTable([
      row('sgemm', 7),
      row('lacuna', 200),
      { ...row('lacuna --device webgpu', 10), launches: 763 },
    ]),
  );
  expect(head.slice(1, -1)).toEqual(['contender', 'step, ms (quartiles)', 'time ÷ lacuna', 'kernels a step']);
  expect([product, cpu, device].map((cells) => cells.slice(3, 5))).toEqual([
    ['', ''],
    ['1.00×', ''],
    ['0.050×', '763'],
  ]);
});

it('says why a contender has no times', () => {
  const failed = { contender: 'lacuna --device webgpu', version: '', threads: 2, error: 'no GPU answered' };
  const [, , , , device] = linesOf(comparisonTable([row('sgemm', 7), row('lacuna', 200), failed]));
  expect(device[2]).toBe('no GPU answered');
});
