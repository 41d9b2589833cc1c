import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyMerges,
  fromBytes,
  learnMerges,
  type Merge,
  mergeRanks,
  toBytes,
  tokenBytes,
} from './byte-pair-merges.js';

const [a, b, c, d] = [...'abcd'].map((letter) => letter.charCodeAt(0));

/** The definition: count all pairs, take the most frequent, replace it everywhere, begin again. */
function plainMerges(pieces: ReadonlyMap<string, number>, most: number): Merge[] {
  let texts = Array.from(pieces, ([text, count]) => ({ tokens: [...toBytes(text)], count }));
  const merges: Merge[] = [];
  while (merges.length < most) {
    const counts = new Map<string, number>();
    for (const { tokens, count } of texts)
      for (let i = 1; i < tokens.length; i++) {
        const pair = `${tokens[i - 1]} ${tokens[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + count);
      }
    const [best] = Array.from(counts, ([pair, count]) => ({ pair: pair.split(' ').map(Number), count })).sort(
      (x, y) => y.count - x.count || x.pair[0] - y.pair[0] || x.pair[1] - y.pair[1],
    );
    if (best === undefined || best.count < 2) break;
    const [left, right] = best.pair;
    texts = texts.map(({ tokens, count }) => ({
      tokens: replaced(tokens, [left, right], 256 + merges.length),
      count,
    }));
    merges.push([left, right]);
  }
  return merges;
}

function replaced(tokens: readonly number[], [left, right]: Merge, by: number): number[] {
  const made: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const both = tokens[i] === left && tokens[i + 1] === right;
    made.push(both ? by : tokens[i]);
    if (both) i++;
  }
  return made;
}

/** The definition: merge after merge, in their order. */
const plainTokens = (bytes: Uint8Array, merges: readonly Merge[]): number[] =>
  merges.reduce<number[]>((tokens, merge, k) => replaced(tokens, merge, 256 + k), [...bytes]);

const fewLetters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 30 });
const anything = fc.string({
  unit: fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point)),
});

describe('learnMerges', () => {
  it('takes the most frequent pair, then the most frequent of what that makes (Gage 1994)', () => {
    const pieces = new Map([
      ['abcabd', 1],
      ['abc', 1],
    ]);
    expect(learnMerges(pieces, 10)).toEqual([
      [a, b],
      [256, c],
    ]);
    expect(learnMerges(pieces, 1)).toEqual([[a, b]]);
  });

  it('counts a piece as often as it is there, and prefers the smaller tokens where counts are equal', () => {
    const pieces: [string, number][] = [
      ['cd', 5],
      ['ab', 5],
      ['aa', 4],
    ];
    const merges = [
      [a, b],
      [c, d],
      [a, a],
    ];
    expect(learnMerges(new Map(pieces), 3)).toEqual(merges);
    expect(learnMerges(new Map(pieces.toReversed()), 3)).toEqual(merges);
  });

  it('makes what its definition makes, also of letters that repeat', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fewLetters, fc.integer({ min: 1, max: 5 })), { maxLength: 8 }),
        (some) => {
          const pieces = new Map(some);
          expect(learnMerges(pieces, 20)).toEqual(plainMerges(pieces, 20));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('ends where no pair stands twice', () => {
    expect(learnMerges(new Map([['abcd', 1]]), 10)).toEqual([]);
    expect(learnMerges(new Map(), 10)).toEqual([]);
    expect(learnMerges(new Map([['', 3]]), 10)).toEqual([]);
  });
});

describe('applyMerges', () => {
  it('makes what the merges make one after the other', () => {
    fc.assert(
      fc.property(fc.array(fewLetters, { minLength: 1 }), fewLetters, (some, text) => {
        const merges = learnMerges(new Map(some.map((piece) => [piece, 1])), 20);
        const ranks = mergeRanks(merges);
        for (const bytes of [...some, text].map(toBytes))
          expect([...applyMerges(bytes, ranks)]).toEqual(plainTokens(bytes, merges));
      }),
      { numRuns: 300 },
    );
  });

  it('loses no byte', () => {
    fc.assert(
      fc.property(fc.array(anything, { minLength: 1 }), (some) => {
        const merges = learnMerges(new Map(some.map((piece) => [piece, 2])), 50);
        const bytes = tokenBytes(merges);
        for (const text of some) {
          const tokens = [...applyMerges(toBytes(text), mergeRanks(merges))];
          expect(fromBytes(Uint8Array.from(tokens.flatMap((token) => [...bytes[token]])))).toBe(text);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('toBytes, fromBytes', () => {
  it('is UTF-8, with three bytes for a surrogate without its partner', () => {
    fc.assert(
      fc.property(anything, (text) => {
        if (!/\p{Cs}/u.test(text)) expect(toBytes(text)).toEqual(new TextEncoder().encode(text));
        expect(fromBytes(toBytes(text))).toBe(text);
      }),
    );
    expect([...toBytes('\ud800')]).toEqual([0xed, 0xa0, 0x80]);
    expect(fromBytes(toBytes('x\udc00\ud800y'))).toBe('x\udc00\ud800y');
  });

  it('replaces what is no letter', () => {
    const bad = [[0x80], [0xc3], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff]];
    for (const bytes of bad) {
      const text = fromBytes(Uint8Array.of(...bytes, 0x61));
      expect(text, String(bytes)).toBe(`${'\ufffd'.repeat(bytes.length)}a`);
    }
    expect(fromBytes(Uint8Array.of(0xe2, 0x61), (byte) => `<${byte.toString(16)}>`)).toBe('<e2>a');
  });
});
