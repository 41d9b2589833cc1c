import { expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { centredSpace, directionSpace, place, rowLengths, whitenedSpace } from './vector-space.js';

const COUNT = 2000;

/** Points of a plane far from the origin, the second number following the first. */
function plane(): Float32Array {
  const { normal } = random(3, 'plane');
  const rows = new Float32Array(2 * COUNT);
  for (let row = 0; row < COUNT; row++) {
    const first = normal();
    rows.set([100 + first, -50 + 2 * first + normal()], 2 * row);
  }
  return rows;
}

/** Means of products: the mean of both numbers, and their covariance. */
function moments(rows: Float32Array) {
  const mean = [0, 1].map((j) => rows.reduce((sum, value, i) => sum + (i % 2 === j ? value : 0), 0) / COUNT);
  const covariance = [0, 0, 0];
  for (let row = 0; row < COUNT; row++) {
    const [x, y] = [rows[2 * row] - mean[0], rows[2 * row + 1] - mean[1]];
    covariance[0] += (x * x) / COUNT;
    covariance[1] += (x * y) / COUNT;
    covariance[2] += (y * y) / COUNT;
  }
  return { mean, covariance };
}

it('has its reference around zero, and uncorrelated where it is whitened', () => {
  const rows = plane();
  const centred = moments(place(centredSpace(rows, 2), rows));
  for (const mean of centred.mean) expect(mean).toBeCloseTo(0, 4);
  expect(centred.covariance[2]).toBeCloseTo(moments(rows).covariance[2], 2);
  const { mean, covariance } = moments(place(whitenedSpace(rows, 2), rows));
  for (const value of mean) expect(value).toBeCloseTo(0, 3);
  // But for what is shrunk, which is the more the fewer rows there are.
  expect(covariance[0]).toBeCloseTo(1, 1);
  expect(covariance[1]).toBeCloseTo(0, 1);
  expect(covariance[2]).toBeCloseTo(1, 1);
});

it('measures how far a point is in deviations of the reference', () => {
  const space = whitenedSpace(plane(), 2);
  const far = (x: number, y: number) => rowLengths(place(space, Float32Array.of(x, y)), 2)[0];
  expect(far(100, -50)).toBeLessThan(0.2);
  // One deviation along the reference, and as far across it.
  expect(far(101, -48)).toBeLessThan(1.2);
  expect(far(101, -52)).toBeGreaterThan(3);
});

it('can be inverted with fewer rows than numbers, and with rows that are all equal', () => {
  const { normal } = random(5, 'few');
  const few = Float32Array.from({ length: 3 * 10 }, () => normal());
  expect(rowLengths(place(whitenedSpace(few, 10), few), 10).every(Number.isFinite)).toBe(true);
  const equal = new Float32Array(20).fill(7);
  expect([...rowLengths(place(whitenedSpace(equal, 10), equal), 10)]).toEqual([0, 0]);
});

it('compares rows that are all equal, but for rounding, from the origin', () => {
  const rows = Float32Array.from({ length: 30 }, (_, i) => 3 + (i % 10) + (i > 20 ? 1e-6 : 0));
  for (const whiten of [false, true]) {
    expect(directionSpace(rows, 10, { whiten }).mean).toEqual(new Float64Array(10));
    const others = rows.map((value, i) => (i < 10 ? -value : value));
    expect(directionSpace(others, 10, { whiten })).toEqual(
      (whiten ? whitenedSpace : centredSpace)(others, 10),
    );
  }
});
