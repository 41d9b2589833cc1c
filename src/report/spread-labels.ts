/**
 * Places at least `gap` apart between `low` and `high`, in the order of the wanted ones and close to them; closer together
 * where there is not room for all.
 */
export function spreadLabels(
  wanted: readonly number[],
  { gap, low, high }: { gap: number; low: number; high: number },
): number[] {
  const room = wanted.length > 1 ? (high - low) / (wanted.length - 1) : 0;
  const apart = Math.min(gap, room);
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const places = wanted.map((place) => Math.min(high, Math.max(low, place)));
  for (let k = 1; k < order.length; k++) {
    places[order[k]] = Math.max(places[order[k]], places[order[k - 1]] + apart);
  }
  let above = high;
  for (const i of order.reverse()) {
    places[i] = Math.min(places[i], above);
    above = places[i] - apart;
  }
  return places;
}
