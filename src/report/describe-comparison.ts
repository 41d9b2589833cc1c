import { LacunaError } from '../errors.js';
import { summarize } from '../scoring/statistics.js';

/** One method's scores, in the order of the seeds, which is the same for all methods. */
export interface SeedScores {
  readonly method: string;
  readonly metric: string;
  readonly perSeed: readonly number[];
}

/**
 * Says in words what the scores show, one line per metric and pair of methods, in the order given. Two methods are compared
 * seed by seed: the 95% Student interval of their mean difference must exclude zero before one is called better. The
 * intervals are not widened for the number of pairs. Throws LacunaError where the methods of a metric differ in seeds or a
 * score is not finite.
 */
export function describeComparison(scores: readonly SeedScores[], { higherIsBetter = true } = {}): string {
  const lines: string[] = [];
  for (const [i, first] of scores.entries()) {
    for (const second of scores.slice(i + 1)) {
      if (second.metric === first.metric) lines.push(describePair(first, second, higherIsBetter));
    }
  }
  return lines.join('\n');
}

function describePair(first: SeedScores, second: SeedScores, higherIsBetter: boolean): string {
  const { mean, low, high, n } = summarize(pairedDifferences(first, second));
  const difference = `${first.method} − ${second.method}: ${signed(mean)} ${first.metric}`;
  if (n === 1) return `${difference}, one seed. One seed gives no interval: nothing is shown either way.`;

  const found = `${difference} (95% interval ${signed(low)} to ${signed(high)}, ${n} seeds).`;
  if (low <= 0 && high >= 0)
    return `${found} The interval includes zero: no difference is shown at this size.`;
  const better = mean > 0 === higherIsBetter ? first.method : second.method;
  return `${found} The interval excludes zero: ${better} is better here.`;
}

function pairedDifferences(first: SeedScores, second: SeedScores): number[] {
  if (first.perSeed.length !== second.perSeed.length || first.perSeed.length === 0) {
    throw new LacunaError(
      `cannot compare ${first.method} (${first.perSeed.length} seeds) with ${second.method} (${second.perSeed.length} seeds): expected the same seeds; evaluate both with the same --seeds`,
    );
  }
  return first.perSeed.map((score, seed) => {
    const difference = score - (second.perSeed[seed] as number);
    if (!Number.isFinite(difference)) {
      throw new LacunaError(
        `cannot compare ${first.method} with ${second.method}: expected finite ${first.metric} scores, seed number ${seed + 1} has ${score} and ${second.perSeed[seed]}; does its test set hold every class?`,
      );
    }
    return difference;
  });
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}
