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
  it("is the mean over the views of the squared distance to the targets' centroid, all scaled to length 1", async () => {
    const [first, second] = [normals('first', VIEWS * ROWS * WIDTH), normals('second', VIEWS * ROWS * WIDTH)];
    const scaled = (vector: readonly number[]) => vector.map((value) => value / Math.hypot(...vector));
    const viewsOf = (values: Float32Array, row: number) =>
      Array.from({ length: VIEWS }, (_, view) =>
        scaled([...values.slice((view * ROWS + row) * WIDTH, (view * ROWS + row + 1) * WIDTH)]),
      );
    for (const [row, value] of (await lossOf(first, second)).entries()) {
      const targets = viewsOf(second, row);
      const centroid = scaled(targets[0].map((_, c) => targets.reduce((sum, target) => sum + target[c], 0)));
      const distances = viewsOf(first, row).map((view) =>
        view.reduce((sum, v, c) => sum + (v - centroid[c]) ** 2, 0),
      );
      expect(value).toBeCloseTo(distances.reduce((sum, distance) => sum + distance) / VIEWS, 5);
    }
  });

  it('does not depend on the order of the views, nor on lengths', async () => {
    const [first, second] = [normals('first', VIEWS * ROWS * WIDTH), normals('second', VIEWS * ROWS * WIDTH)];
    const before = await lossOf(first, second);
    const triple = second.map((v) => 3 * v);
    for (const [row, value] of (await lossOf(turned(first), triple)).entries())
      expect(value).toBeCloseTo(before[row], 5);
  });

  it('is 0 only where every view is at the centroid: views that are their own targets are not', async () => {
    const views = normals('views', VIEWS * ROWS * WIDTH);
    for (const value of await lossOf(views, views)) expect(value).toBeGreaterThan(0.1);
    const one = normals('one', ROWS * WIDTH);
    const alike = Float32Array.from({ length: VIEWS * ROWS * WIDTH }, (_, i) => one[i % (ROWS * WIDTH)]);
    for (const value of await lossOf(alike, alike)) expect(value).toBeCloseTo(0, 6);
  });

  it('attracts every view of a record to its own centroid', async () => {
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
