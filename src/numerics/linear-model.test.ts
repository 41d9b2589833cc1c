import { describe, expect, it } from 'vitest';
import { fitStandardization, standardize } from './linear-model.js';

const { NaN: missing } = Number;

describe('standardization', () => {
  it('gives mean 0 and variance 1, and a missing value is the mean', () => {
    const features = Float32Array.of(1, missing, 3, 10, missing, 30);
    const fitted = fitStandardization(features, 2);
    expect([...fitted.mean]).toEqual([2, 20]);
    expect([...standardize(fitted, features)]).toEqual([-1, 0, 1, -1, 0, 1]);
  });

  it('leaves out what is constant or never there', () => {
    const features = Float32Array.of(5, missing, 5, missing);
    const fitted = fitStandardization(features, 2);
    expect([...fitted.scale]).toEqual([0, 0]);
    expect([...standardize(fitted, Float32Array.of(7, 7))]).toEqual([0, 0]);
  });
});
