/** Tables of a benchmark, made from its result file alone. */
import { boundsOf, differenceBounds } from '../scoring/metrics.js';
import { benjaminiHochberg, bootstrapProbability, holm } from '../scoring/multiplicity.js';
import { type Interval, summarize } from '../scoring/statistics.js';
import { random } from '../tensor/random.js';
import type { Cell, Results } from './results.js';
import { formatTable, type Cell as TableCell } from './table.js';

type Task = Results['tasks'][number];
type Style = Parameters<typeof formatTable>[2];

/** A method's cells on a task, in the order of their seeds. */
function cellsOf({ cells }: Results, task: string, method: string): Cell[] {
  return cells.filter((cell) => cell.task === task && cell.method === method).sort((a, b) => a.seed - b.seed);
}

/** The test scores of a method on a task over its seeds, and their 95 % interval. */
export interface MethodSummary extends Interval {
  readonly method: string;
  readonly perSeed: readonly number[];
  /** The encoder that the first seed started from. */
  readonly pretraining?: string;
}

/** The methods that have cells of a task, in the suite's order. A score that is missing is NaN, and so is then the mean. */
export function summariesOf(results: Results, { name: task, metric }: Task): MethodSummary[] {
  return results.methods.flatMap(({ name: method }) => {
    const cells = cellsOf(results, task, method);
    if (cells.length === 0) return [];
    const perSeed = cells.map(({ test }) => test ?? Number.NaN);
    return [{ method, perSeed, pretraining: cells[0].pretraining, ...summarize(perSeed, boundsOf(metric)) }];
  });
}

const score = (value: number) => (Number.isFinite(value) ? value.toFixed(3) : '');
const interval = ({ low, high }: { low: number; high: number }) =>
  Number.isFinite(low) ? `${score(low)} – ${score(high)}` : '';

/** The methods of a task in the suite's order: test score over seeds, 95 % Student interval, processor seconds. */
export function scoreTable(results: Results, task: Task, style?: Style): string {
  const rows: TableCell[][] = [];
  for (const { name } of results.methods) {
    const cells = cellsOf(results, task.name, name);
    if (cells.length === 0) continue;
    const summary = summarize(
      cells.map(({ test }) => test ?? Number.NaN),
      boundsOf(task.metric),
    );
    const seconds = cells.reduce((sum, cell) => sum + cell.seconds, 0) / cells.length;
    const before = results.pretraining.find((run) => run.name === cells[0].pretraining)?.seconds;
    rows.push([
      name,
      score(summary.mean),
      interval(summary),
      cells.length,
      score(summarize(cells.map(({ valid }) => valid ?? Number.NaN)).mean),
      seconds.toFixed(seconds < 10 ? 1 : 0),
      before === undefined ? '' : (before * (cells[0].pretrainings ?? 1)).toFixed(0),
    ]);
  }
  const header = [
    'method',
    `test ${task.metric}`,
    '95 % interval',
    'seeds',
    `valid ${task.metric}`,
    'seconds a seed',
    'seconds of pretraining',
  ];
  return formatTable(header, rows, style);
}

/** Mean of a − b with two 95 % intervals: over the seeds alone, and over seeds and test records together. */
export interface Difference {
  readonly mean: number;
  readonly seeds: number;
  readonly overSeeds: { readonly low: number; readonly high: number };
  readonly overSeedsAndRecords: { readonly low: number; readonly high: number };
  /** Two-sided, by the bootstrap's standard deviation over seeds and test records. */
  readonly probability: number;
}

/** One or two seeds drawn with replacement say little of how seeds scatter. */
const FEWEST_SEEDS = 3;

/**
 * Paired by seed. Over seeds and records: each of the replicates that the cells hold draws test records, the same for
 * both methods, and then as many seeds with replacement (Efron & Tibshirani, 1993, the percentile interval).
 * That interval is not a number for fewer than three seeds, unless chance plays no part in either method: then it is over the
 * records alone. undefined where the methods have no seed in common or a score is missing.
 */
function pairedDifference(
  results: Results,
  task: string,
  names: readonly [string, string],
): Difference | undefined {
  const [a, b] = names.map((name) => cellsOf(results, task, name));
  const chance = names.some(
    (name) => results.methods.find((method) => method.name === name)?.random !== false,
  );
  const pairs = a.flatMap((first) => {
    const second = b.find(({ seed }) => seed === first.seed);
    return second && first.test !== null && second.test !== null ? [[first, second] as const] : [];
  });
  if (pairs.length === 0) return undefined;
  const differences = pairs.map(([first, second]) => (first.test as number) - (second.test as number));
  const source = random(0, 'bootstrap seeds');
  const [{ replicates }] = pairs[0];
  const drawn = replicates.map((_, replicate) => {
    let sum = 0;
    for (let i = 0; i < pairs.length; i++) {
      const [first, second] = pairs[source.integer(pairs.length)];
      sum += (first.replicates[replicate] ?? Number.NaN) - (second.replicates[replicate] ?? Number.NaN);
    }
    return sum / pairs.length;
  });
  const sorted = Float64Array.from(drawn.filter((value) => !Number.isNaN(value))).sort();
  const enough = pairs.length >= FEWEST_SEEDS || !chance;
  const at = (share: number) =>
    (enough ? sorted[Math.round(share * (sorted.length - 1))] : undefined) ?? Number.NaN;
  const summary = summarize(differences, differenceBounds(pairs[0][0].metric));
  return {
    mean: summary.mean,
    seeds: pairs.length,
    overSeeds: { low: summary.low, high: summary.high },
    overSeedsAndRecords: { low: at(0.025), high: at(0.975) },
    probability: enough ? bootstrapProbability(summary.mean, drawn) : Number.NaN,
  };
}

const signed = (value: number) =>
  Number.isFinite(value) ? `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}` : '';
const signedInterval = ({ low, high }: { low: number; high: number }) =>
  Number.isFinite(low) ? `${signed(low)} to ${signed(high)}` : '';

const probability = (value: number) => (value < 0.0005 ? '< 0.001' : score(value));

/** Whether two methods have a seed of some task in common. */
export const hasDifference = (results: Results, a: string, b: string): boolean =>
  results.tasks.some(({ name }) => pairedDifference(results, name, [a, b]) !== undefined);

/** One row per task for a − b; the p-values are adjusted for the rows of the table. */
export function differenceTable(results: Results, a: string, b: string, style?: Style): string {
  const compared = results.tasks.flatMap((task) => {
    const difference = pairedDifference(results, task.name, [a, b]);
    return difference ? [{ task, difference }] : [];
  });
  const probabilities = compared.map(({ difference }) => difference.probability);
  const [strict, lax] = [holm(probabilities), benjaminiHochberg(probabilities)];
  const rows = compared.map(({ task, difference }, i) => {
    const { mean, seeds, overSeeds, overSeedsAndRecords } = difference;
    const better = task.higherIsBetter ? 'higher' : 'lower';
    return [
      task.title,
      `${task.metric}, ${better} is better`,
      signed(mean),
      signedInterval(overSeeds),
      signedInterval(overSeedsAndRecords),
      ...[probabilities[i], strict[i], lax[i]].map(probability),
      seeds,
    ];
  });
  const header = [
    'task',
    'metric',
    `${a} − ${b}`,
    '95 % over seeds',
    '95 % over seeds and test records',
    'p',
    'p, Holm',
    'p, Benjamini–Hochberg',
    'seeds',
  ];
  return formatTable(header, rows, style);
}
