import { expect, it } from 'vitest';
import * as g from './index.js';
import { productOperations } from './operations.js';

const x = g.input('x', 'float32', [4, 8, 5]);
const w = g.input('w', 'float32', [5, 3]);

it('counts two operations for each multiplication of a product, and each product once', () => {
  const product = g.matmul(x, w);
  expect(productOperations([product])).toBe(2 * 4 * 8 * 5 * 3);
  expect(productOperations([product, g.add(product, product)])).toBe(2 * 4 * 8 * 5 * 3);
});

it('counts a product whose first operand is transposed along the rows of that', () => {
  const flat = g.reshape(x, [32, 5]);
  const gradient = g.input('gradient', 'float32', [32, 3]);
  expect(productOperations([g.matmul(flat, gradient, { transposeA: true })])).toBe(2 * 5 * 32 * 3);
});

it('counts none where nothing is multiplied', () => {
  expect(productOperations([g.sumAll(x)])).toBe(0);
});
