import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, input, sumAll } from '../graph/index.js';
import { centroidLoss } from './msbreg.js';

const engine = await nodeEngine({ threads: 1 });
const [VIEWS, ROWS, WIDTH] = [3, 2, 4];
const shape = [VIEWS * ROWS, WIDTH];
const [x, y] = [input('x', 'float32', shape), input('y', 'float32', shape)];
const loss = centroidLoss(x, y, VIEWS);
const feeds = (first: ArrayLike<number>, second: ArrayLike<number>) => ({
  x: floats(shape, first),
  y: floats(shape, second),
});
const lossOf = async (first: ArrayLike<number>, second: ArrayLike<number>) =>
  (await evaluate(engine, { loss }, feeds(first, second))).loss;

/** The views of each record, exchanged in a circle. */
const turned = (values: Float32Array) =>
  Float32Array.from([...values.slice(ROWS * WIDTH), ...values.slice(0, ROWS * WIDTH)]);

describe('the multiview centroid loss', () => {
  it('is the squared distance of the centroids of directions, record by record', async () => {
    const [first, second] = [normals('first', VIEWS * ROWS * WIDTH), normals('second', VIEWS * ROWS * WIDTH)];
    const centre = (values: Float32Array, row: number) =>
      Array.from({ length: WIDTH }, (_, c) => {
        let total = 0;
        for (let view = 0; view < VIEWS; view++) {
          const vector = [...values.slice((view * ROWS + row) * WIDTH, (view * ROWS + row + 1) * WIDTH)];
          total += vector[c] / Math.hypot(...vector) / VIEWS;
        }
        return total;
      });
    for (const [row, value] of (await lossOf(first, second)).entries()) {
      const other = centre(second, row);
      expect(value).toBeCloseTo(
        centre(first, row).reduce((sum, c, i) => sum + (c - other[i]) ** 2, 0),
        5,
      );
    }
  });

  it('does not depend on the order of the views, nor on lengths, and is 0 for the same views', async () => {
    const [first, second] = [normals('first', VIEWS * ROWS * WIDTH), normals('second', VIEWS * ROWS * WIDTH)];
    const before = await lossOf(first, second);
    for (const [row, value] of (
      await lossOf(
        turned(first),
        second.map((v) => 3 * v),
      )
    ).entries())
      expect(value).toBeCloseTo(before[row], 5);
    for (const value of await lossOf(first, turned(first))) expect(value).toBeCloseTo(0, 6);
  });

  it('attracts each record to its own centroid', async () => {
    const [slope] = gradients(sumAll(loss), [x]);
    let first: Float32Array = normals('first', VIEWS * ROWS * WIDTH);
    const second = normals('second', VIEWS * ROWS * WIDTH);
    const before = await lossOf(first, second);
    for (let step = 0; step < 40; step++) {
      const gradient = (await evaluate(engine, { slope }, feeds(first, second))).slope;
      first = first.map((value, i) => value - 0.5 * gradient[i]);
    }
    for (const [row, value] of (await lossOf(first, second)).entries())
      expect(value).toBeLessThan(0.2 * before[row]);
  });
});
