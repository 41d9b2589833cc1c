import { describe, expect, it } from 'vitest';
import reference from '../../test/fixtures/minirocket.json' with { type: 'json' };
import { random } from '../tensor/random.js';
import { fitMiniRocket, miniRocket } from './minirocket.js';

const series = (values: readonly number[], steps: number, channels = 1) => ({
  steps,
  channels,
  values: Float32Array.from(values),
});

/**
 * The part of the features that differ by more than the reference's six digits: where a convolution equals the bias but for
 * rounding, which is single precision there.
 */
const differing = (rows: Float32Array, expected: readonly number[]) =>
  rows.reduce((sum, value, i) => sum + Number(Math.abs(value - expected[i]) > 1e-5), 0) / expected.length;

describe('MiniRocket', () => {
  it('has the dilations, biases and features of the authors’ code where nothing is drawn', () => {
    const { one } = reference;
    const kernels = fitMiniRocket(series(one.train, one.steps), random(0, 'test'), one.features);
    expect(kernels.dilations).toEqual(one.dilations);
    expect(kernels.featuresOf).toEqual(one.featuresOf);
    kernels.biases.forEach((bias, i) => {
      expect(Math.abs(bias - one.biases[i])).toBeLessThan(1e-4);
    });
    const rows = miniRocket(series(one.test, one.steps), kernels);
    expect(rows).toHaveLength(one.rows.length);
    expect(differing(rows, one.rows)).toBeLessThan(0.005);
  });

  it('has the features of the authors’ code for several channels', () => {
    const { steps, channels, values, rows, ...kernels } = reference.three;
    const own = miniRocket(series(values, steps, channels), kernels);
    expect(own).toHaveLength(rows.length);
    expect(differing(own, rows)).toBeLessThan(0.005);
  });

  it('has 9,996 features, the same from the same draws, of one to nine channels each', () => {
    const source = random(1, 'series');
    const given = series(
      Array.from({ length: 4 * 30 * 12 }, () => source.normal()),
      30,
      12,
    );
    const kernels = fitMiniRocket(given, random(0, 'test'));
    expect(kernels).toEqual(fitMiniRocket(given, random(0, 'test')));
    expect(kernels.biases).toHaveLength(9996);
    const sizes = new Set(kernels.channelsOf.map((own) => own.length));
    expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([1, 9]);
    for (const own of kernels.channelsOf) expect(new Set(own).size).toBe(own.length);
    const rows = miniRocket(given, kernels);
    expect(rows.every((share) => share >= 0 && share <= 1)).toBe(true);
    // A bias is a quantile of one of the series, so about half the steps of all exceed one.
    expect(rows.reduce((sum, share) => sum + share, 0) / rows.length).toBeCloseTo(0.5, 1);
  });
});
