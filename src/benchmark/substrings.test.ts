import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasAnyWithin } from './substrings.js';

describe('a text within another', () => {
  it('is found as String.includes finds it, for wanted texts that are long enough', () => {
    const text = fc.string({ unit: fc.constantFrom('A', 'C', 'D'), maxLength: 30 });
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 5 }),
        text,
        fc.integer({ min: 1, max: 6 }),
        (wanted, within, shortest) => {
          const expected = wanted.some((part) => part.length >= shortest && within.includes(part));
          expect(hasAnyWithin(wanted, shortest)(within)).toBe(expected);
        },
      ),
    );
  });
});
