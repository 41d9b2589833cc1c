/**
 * UMAP (McInnes, Healy & Melville, 2018) from neighbours that are known, on a plane: min_dist 0.1, spread 1, five negative samples.
 * As in its authors' program, both ends of an edge move, and each step is at most 4 long.
 */
import type { Neighbors } from './nearest-neighbors.js';

/** How strong an edge holds together: the curve 1 / (1 + A · d^2B) that is nearest to 1 up to the distance 0.1 and e^(0.1 − d) beyond. */
const [A, B] = [1.576943460405378, 0.8950608781227859];

const NEGATIVE_SAMPLES = 5;
const LONGEST_STEP = 4;
/** Steps of the search for a width, and the least width as a part of the mean distance. */
const [BISECTIONS, LEAST_WIDTH] = [64, 1e-3];

/** Which points hold together, edge by edge in the order of the first. */
export interface Edges {
  /** int32[edges] each */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** float32[edges], 0 … 1 */
  readonly weights: Float32Array;
}

/**
 * The fuzzy union of all neighbourhoods: within each, weights fall off with the distance 1 − similarity beyond the nearest, by a width
 * that makes them sum to log2(k). Row −1 is no neighbour.
 */
export function fuzzyEdges({ k, rows, similarities }: Neighbors): Edges {
  const own = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += k) weigh(own, similarities, start, k);
  const place = (point: number, other: number) => {
    const found = rows.subarray(point * k, (point + 1) * k).indexOf(other);
    return found < 0 ? -1 : point * k + found;
  };
  // First how many edges leave each point: to its neighbours, and to those that it is a neighbour of alone.
  const starts = new Int32Array(rows.length / k + 1);
  const each = (give: (from: number, to: number, weight: number) => void) => {
    for (let i = 0; i < rows.length; i++) {
      const [from, to] = [Math.floor(i / k), rows[i]];
      if (to < 0 || to === from) continue;
      const back = place(to, from);
      const other = back < 0 ? 0 : own[back];
      const weight = own[i] + other - own[i] * other;
      give(from, to, weight);
      if (back < 0) give(to, from, weight);
    }
  };
  each((from) => void starts[from + 1]++);
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
  const count = starts[starts.length - 1];
  const edges = {
    from: new Int32Array(count),
    to: new Int32Array(count),
    weights: new Float32Array(count),
  };
  each((from, to, weight) => {
    const at = starts[from]++;
    edges.from[at] = from;
    edges.to[at] = to;
    edges.weights[at] = weight;
  });
  return edges;
}

/** The weights of one neighbourhood, from `start` on. */
function weigh(own: Float32Array, similarities: Float32Array, start: number, k: number): void {
  const distances = similarities.subarray(start, start + k).map((similarity) => Math.max(0, 1 - similarity));
  let [nearest, total, known] = [0, 0, 0];
  for (const distance of distances) {
    if (nearest === 0) nearest = distance;
    if (distance === Number.POSITIVE_INFINITY) continue;
    total += distance;
    known++;
  }
  const target = Math.log2(k);
  let [low, high, width] = [0, Number.POSITIVE_INFINITY, 1];
  for (let i = 0; i < BISECTIONS; i++) {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += weightAt(distances[j] - nearest, width);
    if (Math.abs(sum - target) < 1e-5) break;
    if (sum > target) high = width;
    else low = width;
    width = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
  }
  const least = (LEAST_WIDTH * total) / Math.max(1, known);
  for (let j = 0; j < k; j++) own[start + j] = weightAt(distances[j] - nearest, Math.max(width, least));
}

const weightAt = (beyond: number, width: number): number => (beyond <= 0 ? 1 : Math.exp(-beyond / width));

/** How often all edges are gone through: as often as the authors do, the more where there are few points. */
export const epochsOf = (points: number): number => (points <= 10_000 ? 500 : 200);

/**
 * Moves `places` float32[points, 2] along the edges and away from others, epoch by epoch; each `next` is one epoch. An edge takes part in as
 * many epochs as its weight is of the largest. The same for the same `seed`, a 32-bit number that is not 0.
 */
export function* unfold(
  places: Float32Array,
  { from, to, weights }: Edges,
  epochs: number,
  seed: number,
): Generator<void> {
  const points = places.length / 2;
  const most = weights.reduce((largest, weight) => Math.max(largest, weight), 0);
  // After so many epochs an edge is taken, and a negative sample with it.
  const every = weights.map((weight) => most / weight);
  const due = every.slice();
  const dueNegative = every.map((period) => period / NEGATIVE_SAMPLES);
  let state = seed | 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 1 - epoch / epochs;
    for (let edge = 0; edge < from.length; edge++) {
      const period = every[edge];
      if (!(period <= epochs) || due[edge] > epoch) continue;
      const [i, j] = [2 * from[edge], 2 * to[edge]];
      let [x, y] = [places[i], places[i + 1]];
      const [dx, dy] = [x - places[j], y - places[j + 1]];
      const square = dx * dx + dy * dy;
      if (square > 0) {
        const power = square ** B;
        const pull = (-2 * A * B * power) / (square * (1 + A * power));
        const [mx, my] = [rate * bounded(pull * dx), rate * bounded(pull * dy)];
        x += mx;
        y += my;
        places[j] -= mx;
        places[j + 1] -= my;
      }
      due[edge] += period;
      const negativePeriod = period / NEGATIVE_SAMPLES;
      const samples = Math.max(0, Math.floor((epoch - dueNegative[edge]) / negativePeriod));
      for (let sample = 0; sample < samples; sample++) {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        const other = 2 * ((state >>> 0) % points);
        if (other === i) continue;
        const [ex, ey] = [x - places[other], y - places[other + 1]];
        const apart = ex * ex + ey * ey;
        if (apart > 0) {
          const push = (2 * B) / ((0.001 + apart) * (1 + A * apart ** B));
          x += rate * bounded(push * ex);
          y += rate * bounded(push * ey);
        } else {
          x += rate * LONGEST_STEP;
          y += rate * LONGEST_STEP;
        }
      }
      dueNegative[edge] += samples * negativePeriod;
      places[i] = x;
      places[i + 1] = y;
    }
    yield;
  }
}

const bounded = (step: number): number => Math.max(-LONGEST_STEP, Math.min(LONGEST_STEP, step));
