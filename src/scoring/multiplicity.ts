/** p-values of several comparisons made together. NaN, a comparison without one, stays NaN and counts for nothing. */
import { normalProbability, summarize } from './statistics.js';

/** The places of the p-values there are, smallest first. */
const ascending = (values: readonly number[]): number[] =>
  [...values.keys()].filter((i) => !Number.isNaN(values[i])).sort((a, b) => values[a] - values[b]);

/** Adjusted so that the chance of any false finding stays at the level (Holm, 1979). */
export function holm(values: readonly number[]): number[] {
  const adjusted = values.map(() => Number.NaN);
  const order = ascending(values);
  let largest = 0;
  order.forEach((place, rank) => {
    largest = Math.max(largest, Math.min(1, (order.length - rank) * values[place]));
    adjusted[place] = largest;
  });
  return adjusted;
}

/** Adjusted so that the expected share of false ones among the findings stays at the level (Benjamini & Hochberg, 1995). */
export function benjaminiHochberg(values: readonly number[]): number[] {
  const adjusted = values.map(() => Number.NaN);
  const order = ascending(values);
  let smallest = 1;
  for (let rank = order.length - 1; rank >= 0; rank--) {
    const place = order[rank];
    smallest = Math.min(smallest, (order.length / (rank + 1)) * values[place]);
    adjusted[place] = smallest;
  }
  return adjusted;
}

/**
 * Two-sided p-value of a difference, normal with the standard deviation of its bootstrap replicates (Efron & Tibshirani, 1993). The
 * share of replicates on one side of 0 would be no smaller than two in their number, too coarse for several comparisons.
 * NaN where there are fewer than two.
 */
export function bootstrapProbability(difference: number, replicates: ArrayLike<number>): number {
  const known = Array.from(replicates).filter((value) => !Number.isNaN(value));
  if (known.length < 2) return Number.NaN;
  if (difference === 0) return 1;
  return 2 * normalProbability(-Math.abs(difference) / summarize(known).sd);
}
