import { describe, expect, it } from 'vitest';
import type { Dimension } from '../config/search.js';
import { drawnSettings, gridSettings, valueAt } from './settings.js';

const rate: Dimension = { key: 'training.learning_rate', from: 1e-4, to: 1e-2, log: true, integer: false };
const layers: Dimension = { key: 'encoder.layers', from: 1, to: 3, log: false, integer: true };
const kind: Dimension = { key: 'objective.kind', values: ['sma', 'byol'] };

describe('the settings of a sweep', () => {
  it('are all combinations of a grid, the last key changing first', () => {
    const seeds: Dimension = { key: 'training.seed', values: [0, 1, 2] };
    expect(gridSettings([kind, seeds]).map((own) => Object.values(own))).toEqual([
      ['sma', 0],
      ['sma', 1],
      ['sma', 2],
      ['byol', 0],
      ['byol', 1],
      ['byol', 2],
    ]);
    expect(() => gridSettings([kind, rate])).toThrow(
      'search.training.learning_rate: a grid needs a list of values, not a range',
    );
  });

  it('are draws that follow from the seed, each different, of which more go on', () => {
    const drawn = drawnSettings([rate, layers, kind], { trials: 30, seed: 4 });
    expect(drawnSettings([rate, layers, kind], { trials: 12, seed: 4 })).toEqual(drawn.slice(0, 12));
    expect(drawnSettings([rate, layers, kind], { trials: 30, seed: 5 })).not.toEqual(drawn);
    expect(new Set(drawn.map((own) => JSON.stringify(own))).size).toBe(30);
    const rates = drawn.map((own) => Number(own['training.learning_rate']));
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(1e-4);
    expect(Math.max(...rates)).toBeLessThanOrEqual(1e-2);
    // Half of them below the middle by logarithm, not one in ten.
    const low = rates.filter((value) => value < 1e-3).length;
    expect(low).toBeGreaterThan(8);
    expect(low).toBeLessThan(22);
    expect(new Set(drawn.map((own) => own['encoder.layers']))).toEqual(new Set([1, 2, 3]));
  });

  it('are all there are before they are too few', () => {
    expect(drawnSettings([layers, kind], { trials: 6, seed: 0 })).toHaveLength(6);
    expect(() => drawnSettings([layers, kind], { trials: 7, seed: 0 })).toThrow(
      'sweep.trials: expected at most 6, as there are no other settings, got 7; or try the method grid',
    );
  });

  it('lie at places of a range or list', () => {
    expect([0, 0.5, 1].map((place) => valueAt(rate, place))).toEqual([1e-4, 1e-3, 1e-2]);
    expect([0, 0.4, 0.99].map((place) => valueAt(layers, place))).toEqual([1, 2, 3]);
    expect([0, 0.49, 0.5, 1].map((place) => valueAt(kind, place))).toEqual(['sma', 'sma', 'byol', 'byol']);
  });
});
