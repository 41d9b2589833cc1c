import { expect, it } from 'vitest';
import { aligned } from './align.js';
import { drawPoints, nearestPoint, onCanvas, pixels, WHOLE } from './scatter.js';
import { one, shadesOf } from './shades.js';

const mapOf = (places: number[], cells: (string | null)[] = []) => ({
  rows: Int32Array.from({ length: places.length / 2 }, (_, i) => i),
  places: Float32Array.from(places),
  neighbors: new Int32Array(),
  k: 0,
  columns: ['a'],
  rejected: 0,
  unknown: 0,
  cell: (record: number) => cells[record],
});

/** Pixels with any ink. */
const inked = ({ data }: { readonly data: Uint8ClampedArray }): number =>
  data.filter((value, i) => i % 4 === 3 && value > 0).length;

it('draws each point where it is', () => {
  const [width, height] = [40, 20];
  const image = { width, height, data: new Uint8ClampedArray(4 * width * height) } as ImageData;
  const places = Float32Array.from([0.5, 0.5, 0.1, 0.9]);
  drawPoints(image, { ...one(2), places }, WHOLE, 0.75);
  expect(inked(image)).toBeGreaterThan(0);
  for (const i of [0, 1]) {
    const [x, y] = onCanvas(width, height, WHOLE, places[2 * i], places[2 * i + 1]).map(Math.round);
    expect([...image.data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)]).toEqual([
      0, 114, 178, 255,
    ]);
  }
  expect(onCanvas(width, height, WHOLE, 0.5, 0.5)).toEqual([20, 10]);
  expect(pixels(width, height, { ...WHOLE, scale: 2 })).toBeCloseTo(1 / (2 * 20 * 0.92), 12);
});

it('finds the nearest point within reach', () => {
  const places = Float32Array.from([0, 0, 0.5, 0.5, 0.6, 0.5]);
  expect(nearestPoint(places, 0.58, 0.5, 0.1)).toBe(2);
  expect(nearestPoint(places, 0.3, 0.3, 0.1)).toBe(-1);
});

it('turns and mirrors a map of the same records back', () => {
  const before = [0, 0, 1, 0.1, 0.3, 0.8, 0.7, 0.4];
  for (const mirror of [1, -1]) {
    const turned = Array.from({ length: 4 }, (_, i) => {
      const [x, y] = [mirror * before[2 * i], before[2 * i + 1]];
      return [0.6 * x - 0.8 * y, 0.8 * x + 0.6 * y];
    }).flat();
    const { places } = aligned(mapOf(turned), mapOf(before));
    // The square is filled by the wider axis, here x from 0 to 1; y, of extent 0.8, is in its middle.
    const expected = before.map((place, i) => (i % 2 === 0 ? place : place + 0.1));
    for (const [i, place] of expected.entries()) expect(places[i]).toBeCloseTo(place, 5);
  }
});

it('shades few values by value, numbers along a ramp, and a missing cell of its own', async () => {
  const few = await shadesOf(mapOf([0, 0, 1, 1, 0, 1, 1, 0], ['x', 'y', null, 'x']), 0);
  expect([...few.colours]).toEqual([0, 1, 2, 0]);
  expect(few.legend.map(({ text }) => text)).toEqual(['x', 'y', '(missing)']);
  const numbers = Array.from({ length: 50 }, (_, i) => (i === 49 ? null : String(i)));
  const many = await shadesOf(mapOf(new Array(100).fill(0), numbers), 0);
  expect(many.colours[0]).toBe(0);
  expect(many.colours[48]).toBe(many.shades.length - 2);
  expect(many.colours[49]).toBe(many.shades.length - 1);
  const words = Array.from({ length: 60 }, (_, i) =>
    i % 3 === 0 ? 'often' : i % 4 === 0 ? 'at times' : `w${i}`,
  );
  const some = await shadesOf(mapOf(new Array(120).fill(0), words), 0);
  expect(some.legend.map(({ text }) => text).slice(0, 3)).toEqual(['often', 'at times', 'w1']);
  expect(some.legend.at(-1)?.text).toBe(`${new Set(words).size - 6} others`);
  expect([some.colours[0], some.colours[4], some.colours[59]]).toEqual([0, 1, 6]);
});
