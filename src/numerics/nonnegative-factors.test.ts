import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { mixtureShares, nonnegativeFactors } from './nonnegative-factors.js';

/** Two distributions over five letters, of which each has one of its own (an anchor), and three mixtures of them. */
const basis = [
  [0.5, 0],
  [0.2, 0.1],
  [0.3, 0.3],
  [0, 0.2],
  [0, 0.4],
];
const shares = [
  [0.9, 0.5, 0.2],
  [0.1, 0.5, 0.8],
];
const values = Float64Array.from(
  basis.flatMap(([a, b]) => shares[0].map((share, j) => a * share + b * shares[1][j])),
);

describe('non-negative factors', () => {
  it('are those that have anchors, but for their order', () => {
    const found = nonnegativeFactors(values, 3, { rank: 2 });
    expect(found.divergence).toBeLessThan(1e-6);
    const first = found.shares[0] > found.shares[3] ? [0, 1] : [1, 0];
    first.forEach((own, k) => {
      for (let j = 0; j < 3; j++) expect(found.shares[own * 3 + j]).toBeCloseTo(shares[k][j], 2);
      for (let i = 0; i < 5; i++) expect(found.basis[i * 2 + own]).toBeCloseTo(basis[i][k], 2);
    });
  });

  it('are distributions, and come no less near with each step', () => {
    const { uniform } = random(1, 'a test', 0);
    const [rows, columns] = [6, 4];
    const any = Float64Array.from({ length: rows * columns }, uniform);
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += any[i * columns + j];
      for (let i = 0; i < rows; i++) any[i * columns + j] /= sum;
    }
    let last = Number.POSITIVE_INFINITY;
    for (const iterations of [0, 1, 2, 3, 5, 10, 40, 200]) {
      const found = nonnegativeFactors(any, columns, { rank: 2, iterations });
      expect(found.divergence).toBeLessThanOrEqual(last + 1e-12);
      last = found.divergence;
      for (let k = 0; k < 2; k++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum += found.basis[i * 2 + k];
        expect(sum).toBeCloseTo(1, 12);
      }
      for (let j = 0; j < columns; j++)
        expect(found.shares[j] + found.shares[columns + j]).toBeCloseTo(1, 12);
    }
  });

  it('and of a mixture the shares, when the components are known', () => {
    const components = Float64Array.of(0.7, 0.2, 0.1, 0.1, 0.3, 0.6);
    const mixed = [0.3, 0.85].flatMap((share) =>
      [0, 1, 2].map((j) => share * components[j] + (1 - share) * components[3 + j]),
    );
    const found = mixtureShares(components, Float64Array.from(mixed), 3, 2000);
    [0.3, 0.7, 0.85, 0.15].forEach((share, i) => {
      expect(found[i]).toBeCloseTo(share, 6);
    });
  });
});
