import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { accumulateTransposed, BLOCK_ROWS, forEachBlock, gatherRows, multiplyTransposed } from './matrix.js';

const size = fc.integer({ min: 1, max: 11 });
// Small integers, so that sums are exact in any order.
const integers = (length: number, seed: number) => {
  const source = random(seed, 'matrix');
  return Float64Array.from({ length }, () => source.integer(19) - 9);
};

describe('matrix products', () => {
  it('a · bᵀ at sizes that do and do not fill the tiles', () => {
    fc.assert(
      fc.property(size, size, size, fc.nat(), (m, n, inner, seed) => {
        const a = integers(m * inner, seed);
        const b = integers(n * inner, seed + 1);
        const out = new Float64Array(m * n).fill(Number.NaN);
        multiplyTransposed(out, a, b, m, n, inner);
        const expected = out.map((_, cell) => {
          let sum = 0;
          for (let t = 0; t < inner; t++)
            sum += a[Math.floor(cell / n) * inner + t] * b[(cell % n) * inner + t];
          return sum;
        });
        expect(out).toEqual(expected);
      }),
    );
  });

  it('out + aᵀ · b', () => {
    fc.assert(
      fc.property(size, size, size, fc.nat(), (m, n, rows, seed) => {
        const a = integers(rows * m, seed);
        const b = integers(rows * n, seed + 1);
        const before = integers(m * n, seed + 2);
        const out = before.slice();
        accumulateTransposed(out, a, b, m, n, rows);
        const expected = before.map((value, cell) => {
          let sum = value;
          for (let row = 0; row < rows; row++)
            sum += a[row * m + Math.floor(cell / n)] * b[row * n + (cell % n)];
          return sum;
        });
        expect(out).toEqual(expected);
      }),
    );
  });
});

describe('rows', () => {
  it('visits every row once, in order', () => {
    const x = Float32Array.from({ length: (2 * BLOCK_ROWS + 3) * 2 }, (_, i) => i);
    const seen: number[] = [];
    forEachBlock(x, 2, (block, first, count) => {
      expect(seen.length).toBe(first * 2);
      seen.push(...block.subarray(0, count * 2));
    });
    expect(seen).toEqual([...x]);
  });

  it('gathers', () => {
    const source = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(gatherRows(new Float32Array(4), source, [2, 0], 2)).toEqual(Float32Array.of(5, 6, 1, 2));
  });
});
