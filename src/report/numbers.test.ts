import { describe, expect, it } from 'vitest';
import { meanAndInterval } from './numbers.js';

describe('meanAndInterval', () => {
  it('gives the mean alone where there is no interval', () => {
    expect(meanAndInterval({ mean: 0.7421, low: 0.7301, high: 0.7541 })).toBe('0.742 ± 0.012');
    expect(meanAndInterval({ mean: -0.5, low: Number.NaN, high: Number.NaN })).toBe('−0.500');
    expect(meanAndInterval({ mean: Number.NaN, low: Number.NaN, high: Number.NaN })).toBe('–');
  });

  it('gives both ends where a bound makes one side shorter', () => {
    expect(meanAndInterval({ mean: 0.98, low: 0.742, high: 0.999 })).toBe('0.980 (0.742 – 0.999)');
  });
});
