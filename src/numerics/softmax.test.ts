import { expect, it } from 'vitest';
import { logistic, softmax } from './softmax.js';

it('gives probabilities whose ratios are the powers of the differences, however large the logits', () => {
  const logits = [1, 3, -2];
  for (const shift of [0, 1000, -1000]) {
    const found = softmax(logits.map((logit) => logit + shift));
    expect(found.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 14);
    expect(found[1] / found[0]).toBeCloseTo(Math.exp(2), 10);
    expect(found[0] / found[2]).toBeCloseTo(Math.exp(3), 10);
  }
  // Of two classes it is the logistic function of the difference.
  expect(softmax([0, 0.7])[1]).toBeCloseTo(logistic(0.7), 14);
});

it('gives none where a logit is not a number', () => {
  expect(softmax([0, Number.NaN, 5])).toEqual(Float64Array.of(Number.NaN, Number.NaN, Number.NaN));
});
