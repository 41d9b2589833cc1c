import { expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { fitStandardization, standardize } from './linear-model.js';
import { principalRows } from './principal-axes.js';
import { ridge } from './ridge.js';
import { sparseProducts, sparseRidge, sparseRows } from './sparse-ridge.js';

it('is the closed form on the standardised features, which are not written out', () => {
  const source = random(3, 'sparse ridge');
  const [n, dimension] = [120, 30];
  // Some rows lack a number, and the last column never has one.
  const x = Float32Array.from({ length: n * dimension }, (_, i) => {
    if (i % dimension === dimension - 1 || source.integer(5) > 0) return 0;
    return source.integer(20) === 0 ? Number.NaN : 3 + source.normal();
  });
  const y = Float64Array.from({ length: n }, (_, row) => (x[row * dimension] || 0) + source.normal());
  const standardization = fitStandardization(x, dimension);
  const rows = sparseRows(x, standardization);
  const [fast, exact] = [
    sparseRidge(rows, dimension, y),
    ridge(principalRows(standardize(standardization, x), dimension), y),
  ];
  for (const lambda of [10, 0.1, 1e-4]) {
    const [{ weights, bias }, expected] = [fast(lambda), exact(lambda)];
    for (let j = 0; j < dimension; j++) expect(weights[j]).toBeCloseTo(expected.weights[j], 5);
    const shift = standardization.mean.reduce(
      (sum, mean, j) => sum + mean * standardization.scale[j] * weights[j],
      0,
    );
    expect(bias[0] + shift).toBeCloseTo(expected.bias[0], 5);
    expect(sparseProducts(rows, weights)[0]).toBeCloseTo(
      weights.reduce((sum, weight, j) => {
        const value = Number.isNaN(x[j]) ? standardization.mean[j] : x[j];
        return sum + weight * value * standardization.scale[j];
      }, 0),
      4,
    );
  }
});

it('says where the optimum of a weak penalty is not reached', () => {
  const source = random(5, 'almost collinear');
  const [n, dimension] = [1500, 1400];
  // Columns of units that differ by millions, which are not standardised here.
  const x = Float32Array.from({ length: n * dimension }, (_, i) =>
    source.integer(20) === 0 ? 10 ** ((i % dimension) / 300) : 0,
  );
  const y = Float64Array.from({ length: n }, () => source.normal());
  const rows = sparseRows(x, {
    mean: new Float64Array(dimension),
    scale: new Float64Array(dimension).fill(1),
  });
  const solve = sparseRidge(rows, dimension, y);
  expect(solve(1e6).weights).toHaveLength(dimension);
  expect(() => solve(1e-12)).toThrow('the optimum of the penalty 1e-12 is not reached in 1000 iterations');
});
