import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, input, outerScope, sumAll } from '../graph/index.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import {
  diffusiveLossOf,
  distance,
  lossAndVectors,
  meanOf,
  recordsOfViews,
  rowsOf,
  scaled,
  singularValueLossOf,
  sumOf,
} from './joint-embedding.case.js';
import { layerNormalization, project } from './joint-embedding.js';
import { centroidLoss } from './regularizers.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
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

describe.each([2, 3, 4])('the loss of MSBReg with %i views', (views) => {
  it.each(Object.entries(real))(
    "weighs the distance to the target's centroids, the spectrum of all views, the stir of the first: %s tokens",
    async (_, records) => {
      const [spectrumWeight, stirWeight] = [0.3, 0.7];
      const options = { views, singular_value_weight: spectrumWeight, diffusive_weight: stirWeight };
      const { numbers, vectors, feeds } = await lossAndVectors(
        records,
        { kind: 'msbreg', options },
        (pieces) => {
          const projected = () =>
            project('projector', pieces.views(views), pieces.options, layerNormalization);
          const projection = projected();
          const predicted = project('predictor', projection, pieces.options, layerNormalization);
          return { projection, predicted, targets: outerScope('target', projected) };
        },
      );
      const [projection, predicted, targets] = [vectors.projection, vectors.predicted, vectors.targets].map(
        (rows) => recordsOfViews(rows, views),
      );
      const centroids = targets[0].map((target, row) =>
        target.map((_, c) => sumOf(targets.map((view) => scaled(view[row])[c]))),
      );
      const centroidLoss = meanOf(
        predicted.map((view) => meanOf(view.map((vector, row) => distance(vector, centroids[row])))),
      );
      const spectrum = singularValueLossOf(projection.flat());
      const steps = rowsOf(feeds.diffusive_steps.data as Float32Array, projection[0][0].length);
      const stir = diffusiveLossOf(projection[0], steps);
      expect(numbers.centroid_loss).toBeCloseTo(centroidLoss, 4);
      expect(numbers.singular_value_loss).toBeCloseTo(spectrum, 4);
      expect(numbers.diffusive_loss).toBeCloseTo(stir, 4);
      expect(numbers.loss).toBeCloseTo(centroidLoss + spectrumWeight * spectrum + stirWeight * stir, 4);
    },
  );
});
