import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { partNamed, partOf } from './split.js';

describe('partOf', () => {
  const fractions = { valid: 0.1, test: 0.2 };

  it('depends on the id and the seed only, never on order or company', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 30 }), fc.nat(), (ids, seed) => {
        const forward = new Map(ids.map((id) => [id, partOf(id, seed, fractions)]));
        for (const id of [...ids].reverse()) expect(partOf(id, seed, fractions)).toBe(forward.get(id));
      }),
    );
  });

  it('fills the parts in the given fractions', () => {
    const n = 20_000;
    const counts = { train: 0, valid: 0, test: 0 };
    for (let i = 0; i < n; i++) counts[partOf(`id-${i}`, 7, fractions)]++;
    const within = (count: number, p: number) =>
      expect(Math.abs(count - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    within(counts.valid, 0.1);
    within(counts.test, 0.2);
  });

  it('keeps the test part when the validation part grows, and changes with the seed', () => {
    const ids = Array.from({ length: 500 }, (_, i) => String(i));
    const tested = (seed: number, valid: number) =>
      ids.filter((id) => partOf(id, seed, { valid, test: 0.3 }) === 'test');
    expect(tested(1, 0.5)).toEqual(tested(1, 0));
    expect(tested(1, 0)).not.toEqual(tested(2, 0));
    expect(tested(1, 0)).not.toEqual(tested(1 + 2 ** 32, 0));
  });

  it('refuses impossible fractions', () => {
    expect(() => partOf('a', 0, { valid: 0.6, test: 0.6 })).toThrow(InputError);
    expect(() => partOf('a', 0, { valid: Number.NaN, test: 0 })).toThrow(InputError);
  });
});

describe('partNamed', () => {
  it.each([
    ['train', 'train'],
    [' Training', 'train'],
    ['valid', 'valid'],
    ['validation', 'valid'],
    ['val', 'valid'],
    ['dev', 'valid'],
    ['eval', 'valid'],
    ['Evaluation', 'valid'],
    ['held-out', 'test'],
    ['evaluator', undefined],
    ['test', 'test'],
    ['test_fold', 'test'],
    ['unparsable', undefined],
    ['trainer', undefined],
    ['cb513', undefined],
    ['', undefined],
  ])('%j is %s', (cell, part) => expect(partNamed(cell)).toBe(part));
});
