/** p-values of several comparisons made together. NaN, a comparison without one, stays NaN and counts for nothing. */

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
 * Two-sided p-value of a difference by its bootstrap replicates: twice the smaller share of them on one side of 0, the
 * difference itself counted among them, so never 0 (Davison & Hinkley, 1997). NaN where there are none.
 */
export function bootstrapProbability(replicates: ArrayLike<number>): number {
  let [below, above, count] = [1, 1, 1];
  for (let i = 0; i < replicates.length; i++) {
    if (Number.isNaN(replicates[i])) continue;
    count++;
    if (replicates[i] <= 0) below++;
    if (replicates[i] >= 0) above++;
  }
  return count === 1 ? Number.NaN : Math.min(1, (2 * Math.min(below, above)) / count);
}
