import { describe, expect, it } from 'vitest';
import type { Dimension, Settings } from '../config/search.js';
import { keyImportance, TOGETHER } from './importance.js';
import { drawnSettings } from './settings.js';

const space: Dimension[] = [
  { key: 'training.learning_rate', from: 1e-4, to: 1e-2, log: true, integer: false },
  { key: 'objective.masking_ratio', from: 0, to: 1, log: false, integer: false },
  { key: 'objective.kind', values: ['sma', 'byol'] },
];
const settings = drawnSettings(space, { trials: 200, seed: 0 });
const shareOf = (score: (own: Settings) => number) => {
  const { shares, explained } = keyImportance(
    space,
    settings.map((own) => ({ settings: own, score: score(own) })),
  )!;
  const found: Record<string, number> = Object.fromEntries(shares.map(({ key, share }) => [key, share]));
  return { of: found, explained };
};
/** A rate's place in its range, 0 … 1. */
const rate = (own: Settings) => (Math.log10(Number(own['training.learning_rate'])) + 4) / 2;
const kind = (own: Settings) => (own['objective.kind'] === 'sma' ? 1 : 0);

describe('the importance of keys', () => {
  it('is that of the analysis of variance for a sum of effects', () => {
    // Variances: of 3 · uniform 9 / 12, of 2 · a fair coin 4 / 4, so 0.43 and 0.57 of the whole.
    const found = shareOf((own) => 3 * rate(own) + 2 * kind(own));
    expect(found.of['training.learning_rate']).toBeCloseTo(0.43, 1);
    expect(found.of['objective.kind']).toBeCloseTo(0.57, 1);
    expect(found.of['objective.masking_ratio']).toBeLessThan(0.03);
    expect(found.of[TOGETHER]).toBeLessThan(0.1);
    expect(found.explained).toBeGreaterThan(0.9);
  });

  it('is of several keys at once where none says anything alone', () => {
    const found = shareOf((own) => ((rate(own) > 0.5 ? 1 : 0) === kind(own) ? 1 : 0));
    expect(found.of[TOGETHER]).toBeGreaterThan(0.7);
  });

  it('says when it is of noise', () => {
    let word = 1;
    const noise = () => (word = (word * 16807) % 2147483647);
    expect(shareOf(noise).explained).toBeLessThan(0.1);
  });

  it('is none of few scores, or of scores that are alike', () => {
    const few = settings.slice(0, 5).map((own, score) => ({ settings: own, score }));
    expect(keyImportance(space, few)).toBe(undefined);
    expect(
      keyImportance(
        space,
        settings.map((own) => ({ settings: own, score: 1 })),
      ),
    ).toBe(undefined);
  });
});
