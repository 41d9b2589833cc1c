import { describe, expect, it } from 'vitest';
import { warpedDistance } from '../numerics/time-warping.js';
import type { LabelSpec } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { timeWarping } from './time-warping.js';

const source = random(1, 'series');
const walk = (steps: number) => Float32Array.from({ length: steps }, () => source.normal());

/** The recursion as the definition has it. */
function warped(a: Float32Array, b: Float32Array, channels: number, window: number): number {
  const cost = (i: number, j: number): number => {
    if (i === 0 && j === 0) return 0;
    if (i === 0 || j === 0 || Math.abs(i - j) > window) return Number.POSITIVE_INFINITY;
    let own = 0;
    for (let k = 0; k < channels; k++) own += (a[(i - 1) * channels + k] - b[(j - 1) * channels + k]) ** 2;
    return own + Math.min(cost(i - 1, j), cost(i, j - 1), cost(i - 1, j - 1));
  };
  return cost(a.length / channels, b.length / channels);
}

describe('time warping', () => {
  it.each([0, 1, 2, 6])('is the least sum along a path, window %i', (window) => {
    for (const channels of [1, 2]) {
      const [a, b] = [walk(7 * channels), walk(7 * channels)];
      const expected = warped(a, b, channels, window);
      expect(warpedDistance(a, b, channels, window)).toBeCloseTo(expected, 9);
      expect(warpedDistance(a, b, channels, window, expected * 0.99)).toBe(Number.POSITIVE_INFINITY);
      expect(warpedDistance(a, b, channels, window, expected * 1.01)).toBeCloseTo(expected, 9);
    }
  });

  it('is the squared Euclidean distance without a window, and never grows with it', () => {
    const [a, b] = [walk(30), walk(30)];
    const squares = a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);
    expect(warpedDistance(a, b, 1, 0)).toBeCloseTo(squares, 6);
    for (let window = 1; window < 30; window++)
      expect(warpedDistance(a, b, 1, window)).toBeLessThanOrEqual(warpedDistance(a, b, 1, window - 1));
  });

  it('finds the window that shifted series need, and the class by it', () => {
    // A peak (class 1) or a dip (class 0) of width 2, anywhere from step 4 to step 9.
    const steps = 20;
    const shifted = (label: number, shift: number) =>
      Array.from({ length: steps }, (_, t) => (t === 4 + shift || t === 5 + shift ? 2 * label - 1 : 0));
    const rows = [0, 1, 2, 3, 4, 5].flatMap((shift) => [shifted(0, shift), shifted(1, shift)]);
    const features = { steps, channels: 1, values: Float32Array.from(rows.flat()) };
    const labels = Float64Array.from(rows, (_, i) => i % 2);
    const spec = { task: 'binary', targets: 1, outputs: 1, columns: ['y'] } as unknown as LabelSpec;
    const [candidate] = [...timeWarping({ count: rows.length, dimension: steps, features, labels }, spec)];
    expect(candidate.chosen.window).toBeLessThanOrEqual(1);
    const outputs = candidate.predict(features) as Float64Array;
    expect([...outputs].map((output) => Number(output > 0))).toEqual([...labels]);
  });
});
