import { describe, expect, it } from 'vitest';
import { weightSoup } from './weight-soup.js';

const trained = (value: number, valid: number) => ({
  parameters: Float32Array.of(value, -value),
  valid,
  step: 10 * value,
});
/** Better the nearer the first parameter is to 2. */
const taste = {
  validate: async ([first]: Float32Array) => -Math.abs(first - 2),
  isBetter: (value: number, best: number) => value > best,
};

describe('a weight soup', () => {
  it('is the mean of all, scored anew', async () => {
    const soup = await weightSoup('uniform', [trained(1, -1), trained(2, 0), trained(6, -4)], taste);
    expect(soup).toEqual({ parameters: Float32Array.of(3, -3), valid: -1, step: 10 });
  });

  it('by greed begins with the best, and takes what does no harm', async () => {
    // 1 is best, then 3 makes the mean 2, and 6 would make it worse.
    const soup = await weightSoup('greedy', [trained(6, -4), trained(3, -1.5), trained(1, -1)], taste);
    expect(soup).toEqual({ parameters: Float32Array.of(2, -2), valid: -0, step: 10 });
    const alone = await weightSoup('greedy', [trained(9, -7), trained(2, 0)], taste);
    expect(alone).toEqual(trained(2, 0));
  });
});
