import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { fuzzyEdges, unfold } from './umap.js';

/** Point 0 has its neighbours 1 … 4 at these similarities; 1 has 0 among its own, the others have none. */
const k = 4;
const neighbors = {
  k,
  rows: Int32Array.of(1, 2, 3, 4, 0, 2, 3, 4, ...new Array(3 * k).fill(-1)),
  similarities: Float32Array.of(
    ...[0.9, 0.8, 0.7, 0.4],
    ...[0.9, 0.85, 0.8, 0.7],
    ...new Array(3 * k).fill(Number.NEGATIVE_INFINITY),
  ),
};

describe('the edges of a map', () => {
  const { from, to, weights } = fuzzyEdges(neighbors);
  const weight = (a: number, b: number) => weights[from.findIndex((point, i) => point === a && to[i] === b)];

  it('are the same in both directions, in the order of their first point', () => {
    expect([...from]).toEqual([...from].sort());
    for (let i = 0; i < from.length; i++) expect(weight(to[i], from[i])).toBe(weights[i]);
    expect(from).toHaveLength(2 * 7);
  });

  it('weigh 1 for the nearest neighbour, and log2(k) in all where they are neighbours one way', () => {
    expect(weight(0, 1)).toBe(1);
    // The weight of 1 is that of the union of two weights of 1, the others are of their own neighbourhood.
    expect(1 + weight(0, 2) + weight(0, 3) + weight(0, 4)).toBeCloseTo(Math.log2(k), 4);
    expect(1 + weight(1, 2) + weight(1, 3) + weight(1, 4)).toBeCloseTo(Math.log2(k), 4);
  });

  it('join two weights as a + b − ab', () => {
    // Both see each other as the second nearest, at the same distance: their own weights are equal.
    const pair = {
      k: 3,
      rows: Int32Array.of(2, 1, 3, 3, 0, 2, ...new Array(6).fill(-1)),
      similarities: Float32Array.of(
        0.9,
        0.8,
        0.6,
        0.9,
        0.8,
        0.6,
        ...new Array(6).fill(Number.NEGATIVE_INFINITY),
      ),
    };
    const edges = fuzzyEdges(pair);
    const at = (a: number, b: number) =>
      edges.weights[edges.from.findIndex((point, i) => point === a && edges.to[i] === b)];
    // Of its own: 1 + w + at(0, 3) where 3 is a neighbour one way.
    const own = Math.log2(3) - 1 - at(0, 3);
    expect(at(0, 1)).toBeCloseTo(2 * own - own ** 2, 4);
  });
});

it('brings points of an edge together and keeps others apart, the same for the same seed', () => {
  // Two groups of ten points, each joined to all of its own.
  const size = 10;
  const pairs = Array.from({ length: 2 * size }, (_, i) =>
    Array.from({ length: 2 * size }, (_, j) => [i, j]).filter(([a, b]) => a !== b && a < size === b < size),
  ).flat();
  const edges = {
    from: Int32Array.from(pairs, ([a]) => a),
    to: Int32Array.from(pairs, ([, b]) => b),
    weights: new Float32Array(pairs.length).fill(1),
  };
  const source = random(0, 'places');
  const start = Float32Array.from({ length: 4 * size }, () => 10 * source.uniform());
  const unfolded = () => {
    const places = start.slice();
    for (const _ of unfold(places, edges, 200, 7));
    return places;
  };
  const places = unfolded();
  const distance = (a: number, b: number) =>
    Math.hypot(places[2 * a] - places[2 * b], places[2 * a + 1] - places[2 * b + 1]);
  const [within, between]: [number[], number[]] = [[], []];
  for (let a = 0; a < 2 * size; a++)
    for (let b = 0; b < a; b++) (a < size === b < size ? within : between).push(distance(a, b));
  expect(Math.max(...within)).toBeLessThan(Math.min(...between));
  expect(unfolded()).toEqual(places);
});
