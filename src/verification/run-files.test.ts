import { expect, it } from 'vitest';
import { nonFinite } from './run-files.js';

it('takes no number that is not finite but the infinite threshold of a tree', () => {
  const { NEGATIVE_INFINITY, NaN: noNumber } = Number;
  expect(nonFinite('run', { 'trees.threshold': Float64Array.of(0, NEGATIVE_INFINITY) })).toEqual([]);
  expect(nonFinite('run', { 'trees.threshold': Float64Array.of(noNumber, NEGATIVE_INFINITY) })).toEqual([
    'run: trees.threshold has 1 of 2 numbers that are not finite',
  ]);
  expect(nonFinite('run', { weight: Float32Array.of(NEGATIVE_INFINITY, noNumber, 1) })).toEqual([
    'run: weight has 2 of 3 numbers that are not finite',
  ]);
});
