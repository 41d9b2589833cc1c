/** The table of a comparison: printed when it is measured, and again from written numbers by `npm run speed -- show FILE…`. */
import { sgemm } from './contender.mjs';
import { markdownTable, number, spread } from './table.mjs';

/**
 * @typedef {import('./table.mjs').Summary} Summary
 * @typedef {{
 *   contender: string, version: string, threads: number, error?: string, step?: Summary, samplesPerSecond?: number,
 *   gigaflops?: number, shareOfSgemm?: number, launches?: number, nodes?: number, kernelMilliseconds?: number, nodesOnCpu?: number,
 *   peakMemory?: number, lossDifference?: number, embed?: Summary, embeddingDifference?: number,
 * }} Row
 */

const ratio = (/** @type {Summary | undefined} */ s, /** @type {Summary | undefined} */ base) =>
  s && base ? `${number(s.median / base.median, s.median < base.median / 10 ? 3 : 2)}×` : '';

/** Columns that only some rows have are left out where none has. @type {readonly [string, (row: Row, lacuna: Row) => string][]} */
const columns = [
  ['contender', ({ contender }) => contender],
  ['step, ms (quartiles)', ({ error, step }) => error ?? spread(step)],
  [
    'time ÷ lacuna',
    ({ contender, step }, lacuna) => (contender === sgemm.name ? '' : ratio(step, lacuna.step)),
  ],
  ['samples/s', ({ samplesPerSecond }) => number(samplesPerSecond)],
  ['GFLOP/s', ({ gigaflops }) => number(gigaflops)],
  ['of sgemm', ({ shareOfSgemm }) => number(shareOfSgemm, 2)],
  ['kernels a step', ({ launches }) => number(launches, 0)],
  ['in kernels, ms', ({ kernelMilliseconds }) => number(kernelMilliseconds)],
  ['nodes on the CPU', ({ nodesOnCpu }) => number(nodesOnCpu, 0)],
  ['peak MiB', ({ peakMemory }) => number(peakMemory, 0)],
  ['loss differs by', ({ lossDifference }) => lossDifference?.toExponential(1) ?? ''],
  ['embedding, ms (quartiles)', ({ embed }) => spread(embed)],
  ['time ÷ lacuna', ({ embed }, lacuna) => ratio(embed, lacuna.embed)],
];

/** Rows as `measure` gives them: the machine's matrix product, Lacuna, then the others. */
export function comparisonTable(/** @type {readonly Row[]} */ rows) {
  const [, lacuna] = rows;
  const shown = columns
    .map(([head, cell]) => [head, ...rows.map((row) => cell(row, lacuna))])
    .filter(([, ...cells]) => cells.some((cell) => cell !== ''));
  return markdownTable(
    Array.from({ length: rows.length + 1 }, (_, line) => shown.map((column) => column[line])),
  );
}
