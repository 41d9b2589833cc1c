/**
 * Dynamic time warping (Sakoe & Chiba, IEEE TASSP 1978) of two series float32[steps, channels]: the least sum of squared differences
 * over all channels together along a path of steps of one in either series or both, which strays at most `window` steps from
 * the diagonal. Infinity as soon as it is known to be `bound` or more.
 */
export function warpedDistance(
  a: Float32Array,
  b: Float32Array,
  channels: number,
  window: number,
  bound = Number.POSITIVE_INFINITY,
): number {
  const steps = a.length / channels;
  let previous = new Float64Array(steps + 1).fill(Number.POSITIVE_INFINITY);
  let present = new Float64Array(steps + 1).fill(Number.POSITIVE_INFINITY);
  previous[0] = 0;
  for (let i = 0; i < steps; i++) {
    const first = Math.max(0, i - window);
    const last = Math.min(steps - 1, i + window);
    present[first] = Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (let j = first; j <= last; j++) {
      let cost = 0;
      for (let k = 0; k < channels; k++) {
        const difference = a[i * channels + k] - b[j * channels + k];
        cost += difference * difference;
      }
      const total = cost + Math.min(previous[j], previous[j + 1], present[j]);
      present[j + 1] = total;
      if (total < least) least = total;
    }
    if (last + 2 <= steps) present[last + 2] = Number.POSITIVE_INFINITY;
    if (least >= bound) return Number.POSITIVE_INFINITY;
    [previous, present] = [present, previous];
  }
  return previous[steps] < bound ? previous[steps] : Number.POSITIVE_INFINITY;
}
