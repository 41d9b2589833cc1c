/** Vectors on a plane, those that are alike beside each other. */
import { random } from '../tensor/random.js';
import type { Neighbors } from './nearest-neighbors.js';
import { epochsOf, fuzzyEdges, unfold } from './umap.js';

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
  const places = begin.map((place) => 10 * place);
  const epochs = epochsOf(n);
  let [epoch, looked] = [0, performance.now()];
  for (const _ of unfold(places, fuzzyEdges(neighbors), epochs, 1 + random(seed, 'map').integer(2 ** 24))) {
    epoch++;
    if (performance.now() - looked < SLICE) continue;
    onProgress(epoch / epochs);
    await new Promise((resolve) => laterOn(resolve));
    signal?.throwIfAborted();
    looked = performance.now();
  }
  return scaled(places);
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
