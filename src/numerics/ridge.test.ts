import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { applyLinear } from './linear-model.js';
import { principalRows } from './principal-axes.js';
import { ridge } from './ridge.js';

describe('ridge', () => {
  it.each([
    [30, 5],
    [6, 40],
  ])('has no gradient left at its solution, %i rows of %i features', (n, dimension) => {
    const source = random(1, 'ridge');
    const x = Float32Array.from({ length: n * dimension }, () => 2 + source.normal());
    const y = Float64Array.from({ length: n }, () => source.normal());
    const solve = ridge(principalRows(x, dimension), y);
    for (const lambda of [10, 0.1, 1e-4]) {
      const model = solve(lambda);
      const residual = applyLinear(model, x).map((value, row) => value - y[row]);
      expect(residual.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 9);
      for (let j = 0; j < dimension; j++) {
        let slope = lambda * model.weights[j];
        for (let row = 0; row < n; row++) slope += (residual[row] * x[row * dimension + j]) / n;
        expect(slope).toBeCloseTo(0, 9);
      }
    }
  });

  it.each([1, 3])('predicts the mean where %i rows do not differ', (n) => {
    const x = Float32Array.from({ length: n * 5 }, (_, i) => i % 5);
    const y = Float64Array.from({ length: n }, (_, i) => i);
    const { weights, bias } = ridge(principalRows(x, 5), y)(1);
    expect(weights).toEqual(new Float64Array(5));
    expect(bias[0]).toBeCloseTo((n - 1) / 2, 12);
  });
});
