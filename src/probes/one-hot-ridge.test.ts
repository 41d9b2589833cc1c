import { describe, expect, it } from 'vitest';
import { principalRows } from '../numerics/principal-axes.js';
import { ridge } from '../numerics/ridge.js';
import type { SparseRows } from '../numerics/sparse-ridge.js';
import type { LabelSpec } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { oneHotRidge } from './one-hot-ridge.js';

const spec: LabelSpec = {
  task: 'regression',
  columns: ['a', 'b'],
  targets: 2,
  outputs: 2,
  classes: [],
  reason: '',
};

describe('ridge regression on one-hot features', () => {
  it('is the closed form on the same features written out, for every strength and target', async () => {
    const source = random(3, 'one-hot');
    const [count, positions, letters] = [200, 6, 4];
    const dimension = positions * letters;
    const dense = new Float32Array(count * dimension);
    const columns: number[] = [];
    const labels = new Float64Array(count * 2);
    for (let row = 0; row < count; row++) {
      for (let position = 0; position < positions; position++) {
        // A letter that never comes leaves a column of zeros, whose weight must be 0.
        const column = position * letters + source.integer(letters - (position === 0 ? 1 : 0));
        columns.push(column);
        dense[row * dimension + column] = 1;
        labels[row * 2] += Math.sin(column);
        labels[row * 2 + 1] -= (column % 3) + 0.3 * source.normal();
      }
    }
    const offsets = Int32Array.from({ length: count + 1 }, (_, row) => row * positions);
    const features: SparseRows = { offsets, columns: Int32Array.from(columns) };
    for await (const candidate of oneHotRidge({ count, dimension, features, labels }, spec)) {
      const predicted = await candidate.predict(features);
      for (const target of [0, 1]) {
        const own = labels.filter((_, i) => i % 2 === target);
        const model = ridge(principalRows(dense, dimension), own)(candidate.chosen.regularization);
        for (let row = 0; row < count; row++) {
          let expected = model.bias[0];
          for (let j = 0; j < dimension; j++) expected += model.weights[j] * dense[row * dimension + j];
          expect(predicted[row * 2 + target]).toBeCloseTo(expected, 4);
        }
      }
    }
  });
});
