import { expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { groupsOf, labelledThreshold, usualThreshold } from './duplicates.js';

it('lies between copies and what is merely similar', () => {
  const { uniform } = random(2, 'similarities');
  const nearest = Array.from({ length: 300 }, (_, i) => 1 - (i < 60 ? 1e-4 : 0.05) * (0.7 + 0.6 * uniform()));
  const threshold = usualThreshold(nearest);
  expect(threshold).toBeGreaterThan(0.97);
  expect(threshold).toBeLessThan(0.9998);
  // Where all are equal, rounding is no difference.
  expect(usualThreshold([1, 1, 1])).toBeLessThan(1);
  // Two records are each other's nearest, which makes them no copies.
  expect(usualThreshold([0.3, 0.3])).toBeGreaterThan(0.999);
});

it('tells labelled pairs apart as well as any threshold does', () => {
  const told = labelledThreshold([0.99, 0.9, 0.8, 0.5], [true, true, false, false]);
  expect(told).toEqual({ threshold: 0.9, precision: 1, recall: 1 });
  expect(labelledThreshold([0.9, 0.9, 0.1], [true, false, false])).toEqual({
    threshold: 0.9,
    precision: 0.5,
    recall: 1,
  });
  expect(() => labelledThreshold([0.5], [true])).toThrow('got 1 duplicates among 1');
});

it('joins pairs that share a record', () => {
  expect([
    ...groupsOf(6, [
      [4, 2],
      [1, 4],
      [5, 0],
    ]),
  ]).toEqual([0, 1, 1, 3, 1, 0]);
});
