/**
 * Places at least `gap` apart between `low` and `high`, in the order of the wanted ones and as close to them as can be in
 * least squares; closer together where there is not room for all. Less k gaps the k-th place may only rise, so this is
 * isotonic regression by pooling adjacent violators (Ayer et al., 1955).
 */
export function spreadLabels(
  wanted: readonly number[],
  { gap, low, high }: { gap: number; low: number; high: number },
): number[] {
  const apart = Math.min(gap, (high - low) / Math.max(1, wanted.length - 1));
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const pools: { mean: number; count: number }[] = [];
  for (const [k, i] of order.entries()) {
    let pool = { mean: wanted[i] - k * apart, count: 1 };
    for (let before = pools.at(-1); before && before.mean > pool.mean; before = pools.at(-1)) {
      pools.pop();
      const count = before.count + pool.count;
      pool = { mean: (before.mean * before.count + pool.mean * pool.count) / count, count };
    }
    pools.push(pool);
  }
  const most = high - (wanted.length - 1) * apart;
  const places: number[] = [];
  let k = 0;
  for (const { mean, count } of pools) {
    const first = Math.max(low, Math.min(most, mean));
    for (let i = 0; i < count; i++, k++) places[order[k]] = first + k * apart;
  }
  return places;
}
