import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearestName } from './nearest-name.js';

describe('editDistance', () => {
  it('has the textbook values', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('flaw', 'lawn')).toBe(2);
  });

  it('is a metric', () => {
    const word = fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'b', 'c') });
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
      }),
    );
  });
});

describe('nearestName', () => {
  it('finds what was meant, or nothing', () => {
    const names = ['steps', 'epochs', 'learning_rate'];
    expect(nearestName('step', names)).toBe('steps');
    expect(nearestName('Learning-Rate', names)).toBe('learning_rate');
    // A third of the letters may be wrong, one at least.
    expect(nearestName('lerning_raet', names)).toBe('learning_rate');
    expect(nearestName('lrn_ra', ['learn_rate'])).toBeUndefined();
    expect(nearestName('ab', ['xb'])).toBe('xb');
    expect(nearestName('ab', ['xy'])).toBeUndefined();
    expect(nearestName('smiles', names)).toBeUndefined();
    expect(nearestName('x', [])).toBeUndefined();
  });
});
