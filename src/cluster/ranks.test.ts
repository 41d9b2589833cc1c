import { describe, expect, it } from 'vitest';
import { ranksHere } from './ranks.case.js';
import { alone, blocksOf, piecesOf } from './ranks.js';

const LENGTHS = [0, 1, 5, 2 ** 20, 2 ** 21 + 7];

describe('the pieces of a vector', () => {
  it.each(LENGTHS)(
    'of %i numbers are each of one rank alone, and as many for all but for one a block',
    (length) => {
      for (const size of [1, 2, 3, 8]) {
        const all = Array.from({ length: size }, (_, rank) => piecesOf(length, { rank, size }));
        const inOrder = all.flat().sort((a, b) => a.start - b.start || a.end - b.end);
        let next = 0;
        for (const { start, end } of inOrder) {
          expect(start).toBe(next);
          next = end;
        }
        expect(next).toBe(length);
        const counts = all.map((own) => own.reduce((sum, { start, end }) => sum + end - start, 0));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(blocksOf(length).length);
      }
    },
  );

  it('are summed by the rank whose own they are, and had from it', async () => {
    const length = 2 ** 20 + 5;
    const shared = await Promise.all(
      ranksHere(3).map(async (ranks) => {
        const values = Float32Array.from({ length }, (_, i) => (i % 100) + ranks.rank);
        const pieces = piecesOf(length, ranks);
        const own = new Float32Array(pieces.reduce((sum, { start, end }) => sum + end - start, 0));
        await ranks.sumPieces(values, own);
        let next = 0;
        for (const { start, end } of pieces) {
          values.set(own.subarray(next, next + end - start), start);
          next += end - start;
        }
        await ranks.sharePieces(values);
        return values;
      }),
    );
    const sums = Float32Array.from({ length }, (_, i) => 3 * (i % 100) + 3);
    for (const values of shared) expect(values).toEqual(sums);
  });

  it('are all for a process that is alone', async () => {
    const own = new Float32Array(3);
    await alone.sumPieces(Float32Array.of(1, 2, 3), own);
    expect([...own]).toEqual([1, 2, 3]);
  });
});
