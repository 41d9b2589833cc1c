/** Correlation and ranks, exact where values are constant or tied. */

/** Linear correlation of two columns; NaN where either is constant. */
export function correlation(x: Float64Array, y: Float64Array): number {
  const dx = centered(x);
  const dy = centered(y);
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = 0; i < x.length; i++) {
    xx += dx[i] * dx[i];
    yy += dy[i] * dy[i];
    xy += dx[i] * dy[i];
  }
  const product = xx * yy;
  // The product of tiny or huge values is no number of full precision.
  const isExact = product > 1e-290 && product < 1e290;
  const scale = isExact ? Math.sqrt(product) : Math.sqrt(xx) * Math.sqrt(yy);
  // Rounding can lead a little past 1.
  return Math.max(-1, Math.min(1, xy / scale));
}

/** values − mean. The first value is taken off before averaging, so that a constant gives zeros and not rounding errors. */
function centered(values: Float64Array): Float64Array {
  let sum = 0;
  for (const value of values) sum += value - values[0];
  const mean = sum / values.length;
  return values.map((value) => value - values[0] - mean);
}

/** Ranks from 1, ties sharing the mean of theirs; NaN has rank NaN. O(n log n) with no comparator calls. */
export function averageRanks(values: Float64Array): Float64Array {
  const sorted = values.slice().sort();
  const rankAt = new Float64Array(sorted.length);
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && sorted[end] === sorted[start]) end++;
    rankAt.fill((start + 1 + end) / 2, start, end);
    start = end;
  }
  return values.map((value) => {
    if (Number.isNaN(value)) return Number.NaN;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return rankAt[low];
  });
}
