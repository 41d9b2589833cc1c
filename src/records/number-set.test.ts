import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NumberSet } from './number-set.js';

describe('NumberSet', () => {
  it('holds what a built-in Set of the same numbers does', () => {
    const number = fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: -3, max: 3 }), fc.constant(-0));
    fc.assert(
      fc.property(fc.array(number, { maxLength: 200 }), (numbers) => {
        const expected = new Set<number>();
        const set = new NumberSet();
        for (const value of numbers) {
          expect(set.has(value)).toBe(expected.has(value));
          expect(set.add(value)).toBe(!expected.has(value));
          expected.add(value);
          expect(set.size).toBe(expected.size);
        }
      }),
    );
  });

  it('grows', () => {
    const set = new NumberSet();
    for (let i = 0; i < 50_000; i++) set.add(i / 7);
    for (let i = 0; i < 50_000; i++) expect(set.add(i / 7)).toBe(false);
    expect([set.size, set.has(0.1), set.has(49_999 / 7)]).toEqual([50_000, false, true]);
  });
});
