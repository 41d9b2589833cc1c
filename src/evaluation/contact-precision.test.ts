import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { type ContactRange, contactMap, precisionAtLength } from './contact-precision.js';

/** A flat symmetric [length, length] matrix that is 0 except at the pairs given. */
function symmetric(length: number, entries: readonly (readonly [number, number, number])[]): Float32Array {
  const matrix = new Float32Array(length * length);
  for (const [i, j, value] of entries) {
    matrix[i * length + j] = value;
    matrix[j * length + i] = value;
  }
  return matrix;
}

const all = (length: number) => new Uint8Array(length).fill(1);

describe('contactMap', () => {
  it('is 1 below 8 Å, and not at 8 Å', () => {
    // On a line at 0, 5, 8 and 12.9 Å.
    const coordinates = [0, 0, 0, 5, 0, 0, 8, 0, 0, 12.9, 0, 0];
    expect([...contactMap(coordinates, all(4))]).toEqual([1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1]);
    expect([...contactMap(coordinates, all(4), 4)]).toEqual([1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
  });

  it('measures in space: (2, 3, 6) is 7 Å away, (4, 4, 7) is 9 Å away', () => {
    const contacts = contactMap([0, 0, 0, 2, 3, 6, 4, 4, 7], all(3));
    expect([...contacts.subarray(0, 3)]).toEqual([1, 1, 0]);
  });

  it('knows no contact of an unresolved residue, whatever its coordinates', () => {
    const coordinates = [0, 0, 0, Number.NaN, Number.NaN, Number.NaN, 1, 0, 0];
    expect([...contactMap(coordinates, [true, false, true])]).toEqual([1, 0, 1, 0, 0, 0, 1, 0, 1]);
    expect(contactMap([], [])).toHaveLength(0);
  });

  it('is symmetric and unmoved by turning and shifting the protein', () => {
    const coordinate = fc.integer({ min: -20, max: 20 });
    const residues = fc.array(fc.tuple(fc.tuple(coordinate, coordinate, coordinate), fc.boolean()), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(residues, (rows) => {
        const mask = rows.map(([, resolved]) => resolved);
        const contacts = contactMap(
          rows.flatMap(([position]) => position),
          mask,
        );
        const turned = contactMap(
          rows.flatMap(([[x, y, z]]) => [7 - y, x + 3, z - 100]),
          mask,
        );
        expect(turned).toEqual(contacts);
        for (let i = 0; i < rows.length; i++) {
          expect(contacts[i * rows.length + i]).toBe(Number(mask[i]));
          for (let j = 0; j < i; j++)
            expect(contacts[i * rows.length + j]).toBe(contacts[j * rows.length + i]);
        }
      }),
    );
  });

  it('refuses coordinates that are missing', () => {
    const bad = () => contactMap([0, 0, 0, 1, Number.NaN, 1], [true, true]);
    expect(bad).toThrow(InputError);
    expect(bad).toThrow('residue 1 (from 0) has the coordinates 1, NaN, 1');
    expect(() => contactMap([0, 0], [true])).toThrow('expected coordinates [1, 3], got 2 numbers');
  });
});

describe('precisionAtLength, solved by hand', () => {
  // 30 residues, so the best 6 pairs: four contacts among them, with distances in sequence of 12, 23, 24 and 29.
  const length = 30;
  const scores = symmetric(length, [
    [0, 12, 0.9],
    [0, 23, 0.8],
    [0, 24, 0.7],
    [0, 29, 0.6],
    [5, 20, 0.5],
    [3, 28, 0.4],
    [2, 17, 0.3],
    [0, 11, 1],
    [4, 8, 1],
  ]);
  const contacts = symmetric(length, [
    [0, 12, 1],
    [0, 23, 1],
    [0, 24, 1],
    [0, 29, 1],
    [2, 17, 1],
    [0, 11, 1],
    [4, 8, 1],
  ]);
  const precision = (range?: ContactRange, divisor?: number) =>
    precisionAtLength(scores, contacts, all(length), length, { range, divisor });

  it('takes the best L/5 of the pairs at least 12 apart', () => {
    expect(precision()).toBe(4 / 6);
    expect(precision('medium-long')).toBe(4 / 6);
  });

  it('counts a separation of 23 as medium and of 24 as long', () => {
    // Medium: 0.9, 0.8 and 0.3 are contacts, 0.5 is none; the other two are drawn from the 146 that score 0, without contacts.
    expect(precision('medium')).toBe(3 / 6);
    // Long: 0.7 and 0.6 are contacts, 0.4 is none.
    expect(precision('long')).toBe(2 / 6);
  });

  it('takes another share of L', () => {
    expect(precision('medium-long', 10)).toBe(3 / 3);
    expect(precision('medium-long', 4)).toBe(5 / 7);
    expect(precision('medium-long', 7.5)).toBe(4 / 4);
  });

  it('leaves out the pairs of unresolved residues and keeps L', () => {
    const mask = all(length);
    mask[0] = 0;
    // Left are 0.5, 0.4 and 0.3, the last a contact.
    expect(precisionAtLength(scores, contacts, mask, length)).toBe(1 / 6);
  });

  it('reads only i < j', () => {
    const upper = scores.map((score, at) => (Math.floor(at / length) < at % length ? score : Number.NaN));
    expect(precisionAtLength(upper, contacts, all(length), length)).toBe(4 / 6);
  });

  it('takes all pairs where there are fewer than L/5', () => {
    // 13 residues have the one pair 0, 12; 14 have three, of which L/5 is two.
    expect(precisionAtLength(new Float32Array(169), symmetric(13, [[0, 12, 1]]), all(13), 13)).toBe(1);
    const few = symmetric(13, [[0, 11, 1]]);
    expect(precisionAtLength(new Float32Array(169), few, all(13), 13)).toBe(0);
  });

  it('gives equals at the cut the same chance', () => {
    // 14 residues: the pairs (0, 12), (0, 13), (1, 13), of which two are chosen.
    const equals = (
      values: readonly [number, number, number],
      touching: readonly [number, number, number],
    ) => {
      const entries = (three: readonly number[]) =>
        symmetric(14, [
          [0, 12, three[0]],
          [0, 13, three[1]],
          [1, 13, three[2]],
        ]);
      return precisionAtLength(entries(values), entries(touching), all(14), 14);
    };
    expect(equals([1, 1, 1], [1, 0, 0])).toBe(1 / 3);
    expect(equals([2, 1, 1], [1, 0, 1])).toBe((1 + 1 / 2) / 2);
    expect(equals([2, 1, 1], [0, 0, 1])).toBe(1 / 2 / 2);
    expect(equals([-0, 0, -1], [1, 0, 0])).toBe(1 / 2);
    expect(equals([Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY], [1, 0, 1])).toBe(1 / 2);
  });

  it('does not exist without pairs, nor with a score that is not a number', () => {
    expect(precisionAtLength([], [], [], 0)).toBeNaN();
    expect(precisionAtLength(new Float32Array(144), new Uint8Array(144), all(12), 12)).toBeNaN();
    expect(precisionAtLength(scores, contacts, new Uint8Array(length), length)).toBeNaN();
    expect(precision('medium-long', 31)).toBeNaN();
    const failed = scores.with(1 * length + 29, Number.NaN);
    expect(precisionAtLength(failed, contacts, all(length), length)).toBeNaN();
    expect(precisionAtLength(failed, contacts, all(length), length, { range: 'medium' })).toBe(3 / 6);
  });

  it('refuses other sizes and other contacts', () => {
    expect(() => precisionAtLength([1], [0, 0], [1], 1)).toThrow('and mask [1], got 1, 2 and 1 numbers');
    expect(() => precisionAtLength(scores, scores, all(length), length)).toThrow('is neither 0 nor 1');
    expect(() => precision('long', 0)).toThrow('positive divisor, got 0');
  });
});

describe('precisionAtLength, properties', () => {
  interface Protein {
    readonly length: number;
    readonly scores: readonly number[];
    readonly contacts: readonly number[];
    readonly mask: readonly boolean[];
    readonly range: ContactRange;
    readonly divisor: number;
  }
  const within = { medium: [12, 23], long: [24, 99], 'medium-long': [12, 99] } as const;
  const protein: fc.Arbitrary<Protein> = fc.integer({ min: 1, max: 40 }).chain((length) =>
    fc.record({
      length: fc.constant(length),
      // Few different scores, so that there are ties.
      scores: fc.array(fc.integer({ min: -4, max: 4 }), {
        minLength: length * length,
        maxLength: length * length,
      }),
      contacts: fc.array(fc.constantFrom(0, 0, 0, 1), {
        minLength: length * length,
        maxLength: length * length,
      }),
      mask: fc.array(fc.boolean(), { minLength: length, maxLength: length }),
      range: fc.constantFrom<ContactRange>('medium', 'long', 'medium-long'),
      divisor: fc.constantFrom(1, 2, 5, 10),
    }),
  );

  /** Scores and contacts of the pairs in range, from the definition. */
  function pairsOf({ length, scores, contacts, mask, range }: Protein) {
    const [nearest, farthest] = within[range];
    const pairs: { score: number; contact: number }[] = [];
    for (let i = 0; i < length; i++) {
      for (let j = i + 1; j < length; j++) {
        const resolved = mask[i] && mask[j] && j - i >= nearest && j - i <= farthest;
        if (resolved) pairs.push({ score: scores[i * length + j], contact: contacts[i * length + j] });
      }
    }
    return pairs;
  }

  const precisionOf = ({ scores, contacts, mask, length, range, divisor }: Protein) =>
    precisionAtLength(scores, contacts, mask, length, { range, divisor });

  it('is between what the luckiest and the unluckiest order of equals would give', () => {
    fc.assert(
      fc.property(protein, (drawn) => {
        const pairs = pairsOf(drawn);
        const chosen = Math.min(Math.floor(drawn.length / drawn.divisor), pairs.length);
        const precision = precisionOf(drawn);
        if (chosen === 0) {
          expect(precision).toBeNaN();
          return;
        }
        const of = (luck: 1 | -1) =>
          pairs
            .toSorted((a, b) => b.score - a.score || luck * (b.contact - a.contact))
            .slice(0, chosen)
            .reduce((sum, { contact }) => sum + contact, 0) / chosen;
        expect(precision).toBeGreaterThanOrEqual(of(-1) - 1e-12);
        expect(precision).toBeLessThanOrEqual(of(1) + 1e-12);
        if (of(1) === of(-1)) expect(precision).toBeCloseTo(of(1), 12);
      }),
    );
  });

  it('is 1 for perfect scores when there are enough contacts, and their number / chosen when not', () => {
    fc.assert(
      fc.property(protein, (drawn) => {
        const pairs = pairsOf(drawn);
        const chosen = Math.min(Math.floor(drawn.length / drawn.divisor), pairs.length);
        fc.pre(chosen > 0);
        const touching = pairs.reduce((sum, { contact }) => sum + contact, 0);
        const perfect = { ...drawn, scores: drawn.contacts };
        expect(precisionOf(perfect)).toBe(Math.min(chosen, touching) / chosen);
      }),
    );
  });

  it('of constant scores is the share of contacts among the pairs', () => {
    fc.assert(
      fc.property(protein, (drawn) => {
        const pairs = pairsOf(drawn);
        fc.pre(pairs.length > 0 && drawn.length >= drawn.divisor);
        const touching = pairs.reduce((sum, { contact }) => sum + contact, 0);
        const constant = { ...drawn, scores: drawn.scores.map(() => 3) };
        expect(precisionOf(constant)).toBeCloseTo(touching / pairs.length, 12);
      }),
    );
  });

  it('sees only the order of the scores', () => {
    fc.assert(
      fc.property(protein, (drawn) => {
        expect(precisionOf({ ...drawn, scores: drawn.scores.map(Math.exp) })).toBe(precisionOf(drawn));
      }),
    );
  });
});
