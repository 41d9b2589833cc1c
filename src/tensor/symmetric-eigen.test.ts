import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { random } from './random.js';
import { symmetricEigen } from './symmetric-eigen.js';

/** Of the given rank. */
function symmetric(n: number, rank: number): Float64Array {
  const draw = random(n, 'symmetric');
  const rows = Array.from({ length: rank }, () => Array.from({ length: n }, () => draw.normal()));
  const matrix = new Float64Array(n * n);
  for (const [r, row] of rows.entries())
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) matrix[i * n + j] += (r % 3 === 0 ? -1 : 1) * row[i] * row[j];
  return matrix;
}

describe('symmetricEigen', () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [7, 7],
    [40, 40],
    [24, 5],
    [6, 0],
  ])('takes a matrix of side %i and rank %i apart', (n, rank) => {
    const matrix = symmetric(n, rank);
    const { values, vectors } = symmetricEigen(matrix, n);
    const dot = (a: number, b: number) => {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += vectors[a * n + k] * vectors[b * n + k];
      return sum;
    };
    for (let i = 0; i < n; i++) {
      if (i > 0) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]);
      for (let j = 0; j < n; j++) {
        expect(dot(i, j)).toBeCloseTo(i === j ? 1 : 0, 12);
        let sum = 0;
        for (let k = 0; k < n; k++) sum += values[k] * vectors[k * n + i] * vectors[k * n + j];
        expect(sum).toBeCloseTo(matrix[i * n + j], 11);
      }
    }
  });

  it('gives what ml-matrix gives, bit for bit', () => {
    const n = 33;
    const matrix = symmetric(n, n);
    const { values, vectors } = symmetricEigen(matrix, n);
    const other = new EigenvalueDecomposition(Matrix.from1DArray(n, n, matrix), { assumeSymmetric: true });
    expect(Array.from(values)).toEqual(Array.from(other.realEigenvalues));
    expect(Array.from(vectors)).toEqual(other.eigenvectorMatrix.transpose().to1DArray());
  });
});
