import { describe, expect, it } from 'vitest';
import { isEncoderMethod, methodStyles } from './method-styles.js';
import type { Results } from './results.js';

const suite = (...names: string[]): Results =>
  ({ methods: names.map((name) => ({ name })), cells: [], pretraining: [] }) as unknown as Results;

describe('colours of methods', () => {
  const tables = [
    'linear',
    'boosted trees',
    'random forest',
    'extra trees',
    'best simple model',
    'fit',
    'fit with SMA',
  ];
  const molecules = [
    'linear, fingerprints',
    'linear, descriptors',
    'boosted trees, molecules',
    'best simple model',
    'fit',
  ];
  const styles = methodStyles([suite(...molecules), suite(...tables), suite('linear', 'convolution')]);
  const coloursOf = (names: readonly string[]) => new Set(names.map((name) => styles.get(name)!.color));

  it('differ within a suite as far as there are colours, also where suites share methods', () => {
    for (const names of [tables, molecules, ['linear', 'convolution']])
      expect(coloursOf(names).size).toBe(names.length);
  });

  it('are those of the encoder for what is done with it, which is hollow', () => {
    const { color } = styles.get('SMA')!;
    const own = methodStyles([suite('SMA', 'SMA, mean of folds', 'SMA, frozen', 'fit with SMA')]);
    expect(own.get('SMA')).toEqual({ color, hollow: false });
    expect(own.get('SMA, frozen')).toEqual({ color, hollow: true });
    expect(own.get('SMA, mean of folds')).toEqual({ color, hollow: true });
    expect(own.get('fit with SMA')!.color).not.toBe(color);
  });

  it('tell an encoder in every condition from a simple method', () => {
    for (const name of [
      'from scratch',
      'from scratch, equal total',
      'from scratch, mean of folds',
      'from scratch, convolution encoder',
      'from scratch, convolution encoder, mean of folds',
      'from scratch, attentive convolutions',
      'untrained, frozen',
    ])
      expect(isEncoderMethod(name)).toBe(true);
    expect(isEncoderMethod('SMA, 4 per query', 'events-sma')).toBe(true);
    for (const name of [...tables.slice(0, -1), 'constant']) expect(isEncoderMethod(name)).toBe(false);
  });
});
