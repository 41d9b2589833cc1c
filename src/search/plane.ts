/** Vectors on a plane, those that are alike beside each other: UMAP (McInnes, Healy & Melville, 2018), by umap-js. */
import { random } from '../tensor/random.js';
import type { Neighbors } from './nearest-neighbors.js';

/** After what has arrived meanwhile, such as a message to stop; a page has timers alone. */
const laterOn: (then: (value: unknown) => void) => unknown =
  typeof setImmediate === 'undefined' ? setTimeout : setImmediate;

/** How a plane is made. */
export interface PlaneOptions {
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Hears of the part that is done, now and then. */
  readonly onProgress?: (part: number) => void;
}

/** Milliseconds of work between two looks at the signal. */
const SLICE = 200;

/** Of fewer vectors there is no neighbourhood to keep. */
const FEWEST = 10;

/**
 * float32[n, 2], each axis from 0 to 1. It begins at the two directions along which the vectors differ most, so that what is far
 * apart tends to stay so; the same for the same seed.
 * @param rows float32[n, dimension], centred
 * @param neighbors of the rows among themselves, without each itself
 */
export async function onPlane(
  rows: Float32Array,
  dimension: number,
  neighbors: Neighbors,
  { seed, signal, onProgress = () => {} }: PlaneOptions,
): Promise<Float32Array> {
  const n = rows.length / dimension;
  const begin = principalPlane(rows, dimension, seed);
  if (n < FEWEST) return scaled(begin);
  const {
    default: { UMAP },
  } = await import('umap-js');
  const source = random(seed, 'map');
  const { k } = neighbors;
  const umap = new UMAP({ nNeighbors: Math.min(k, n - 1), random: () => source.uniform() });
  const range = Array.from({ length: n }, (_, row) => row);
  const of = (row: number) => Array.from(neighbors.rows.subarray(row * k, (row + 1) * k));
  umap.setPrecomputedKNN(
    range.map(of),
    range.map((row) =>
      Array.from(neighbors.similarities.subarray(row * k, (row + 1) * k), (similarity) =>
        Math.max(0, 1 - similarity),
      ),
    ),
  );
  // The library looks at the number of rows alone, once it knows their neighbours.
  const epochs = umap.initializeFit(range.map((row) => [row]));
  const places = umap.getEmbedding();
  for (let row = 0; row < n; row++) {
    places[row][0] = 10 * begin[2 * row];
    places[row][1] = 10 * begin[2 * row + 1];
  }
  let looked = performance.now();
  for (let epoch = 0; epoch < epochs; epoch++) {
    umap.step();
    if (performance.now() - looked < SLICE) continue;
    onProgress((epoch + 1) / epochs);
    await new Promise((resolve) => laterOn(resolve));
    signal?.throwIfAborted();
    looked = performance.now();
  }
  return scaled(Float32Array.from(umap.getEmbedding().flat()));
}

/** float32[n, 2]: the coordinates along two principal directions, by a few steps of the power method, of deviation 1. */
function principalPlane(rows: Float32Array, dimension: number, seed: number): Float32Array {
  const n = rows.length / dimension;
  const source = random(seed, 'principal plane');
  const directions: Float64Array[] = [];
  for (let axis = 0; axis < 2; axis++) {
    let direction = Float64Array.from({ length: dimension }, () => source.normal());
    for (let step = 0; step < 15; step++) {
      const next = new Float64Array(dimension);
      for (let row = 0; row < n; row++) {
        let along = 0;
        for (let j = 0; j < dimension; j++) along += rows[row * dimension + j] * direction[j];
        for (let j = 0; j < dimension; j++) next[j] += along * rows[row * dimension + j];
      }
      for (const other of directions) {
        const along = next.reduce((sum, value, j) => sum + value * other[j], 0);
        for (let j = 0; j < dimension; j++) next[j] -= along * other[j];
      }
      const length = Math.hypot(...next) || 1;
      direction = next.map((value) => value / length);
    }
    directions.push(direction);
  }
  const places = new Float32Array(2 * n);
  directions.forEach((direction, axis) => {
    let squares = 0;
    for (let row = 0; row < n; row++) {
      let along = 0;
      for (let j = 0; j < dimension; j++) along += rows[row * dimension + j] * direction[j];
      places[2 * row + axis] = along;
      squares += along * along;
    }
    const deviation = Math.sqrt(squares / n) || 1;
    // A trace of noise, so that records that are equal do not lie on one point.
    for (let row = 0; row < n; row++)
      places[2 * row + axis] = places[2 * row + axis] / deviation + 1e-3 * source.normal();
  });
  return places;
}

/** Each axis from 0 to 1; an axis along which nothing differs is in the middle. */
function scaled(places: Float32Array): Float32Array {
  for (let axis = 0; axis < 2; axis++) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = axis; i < places.length; i += 2) {
      least = Math.min(least, places[i]);
      most = Math.max(most, places[i]);
    }
    const width = most - least;
    for (let i = axis; i < places.length; i += 2) places[i] = width > 0 ? (places[i] - least) / width : 0.5;
  }
  return places;
}
