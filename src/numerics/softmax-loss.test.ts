import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { random } from '../tensor/random.js';
import { withSoftmaxLoss } from './softmax-loss.js';

/** Loss, gradient and curvature row by row, as they are written on paper. */
function onPaper(rows: Float64Array, labels: Float64Array, weights: Float64Array, width: number) {
  const columns = rows.length / labels.length;
  const gradient = new Float64Array(weights.length);
  const curvature = new Float64Array(width);
  let loss = 0;
  labels.forEach((label, row) => {
    const x = rows.subarray(row * columns, (row + 1) * columns);
    const logits = Array.from({ length: width }, (_, k) =>
      x.reduce((sum, value, j) => sum + value * weights[k * columns + j], 0),
    );
    const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
    loss += Math.log(total) - logits[label];
    logits.forEach((z, k) => {
      const p = Math.exp(z) / total;
      curvature[k] += p * (1 - p);
      x.forEach((value, j) => {
        gradient[k * columns + j] += (p - Number(k === label)) * value;
      });
    });
  });
  return { loss, gradient, curvature };
}

describe('the loss of softmax regression on the engine', async () => {
  const engine = await nodeEngine({ threads: 1 });

  // One block that is full, blocks of which the last is not, fewer rows than classes.
  it.each([1024, 2500, 3])('adds up loss, gradient and curvature of %d rows', async (n) => {
    const [columns, width] = [4, 5];
    const { normal, integer } = random(1, 'rows');
    const rows = Float64Array.from({ length: n * columns }, (_, i) =>
      i % columns === columns - 1 ? 1 : Math.fround(normal()),
    );
    const labels = Float64Array.from({ length: n }, () => integer(width));
    await withSoftmaxLoss(engine, { rows, labels, width }, async (sum) => {
      // A second point, to see that nothing of the first is left.
      for (const scale of [1, 3]) {
        const weights = Float64Array.from({ length: width * columns }, () => Math.fround(scale * normal()));
        const expected = onPaper(rows, labels, weights, width);
        const gradient = new Float64Array(weights.length).fill(7);
        const curvature = new Float64Array(width).fill(9);
        const loss = await sum(weights, gradient, curvature);
        expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
        expected.gradient.forEach((value, i) => {
          expect(Math.abs(gradient[i] - 7 - value) / n).toBeLessThan(1e-6);
        });
        expected.curvature.forEach((value, k) => {
          expect(Math.abs(curvature[k] - 9 - value) / n).toBeLessThan(1e-6);
        });
      }
    });
  });
});
