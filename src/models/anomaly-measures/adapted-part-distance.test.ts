import { expect, it } from 'vitest';
import { evaluate, floats, normals, ordinaryParameters } from '../../engine/evaluate.case.js';
import { nodeEngine } from '../../engine/node.js';
import { expectGradient } from '../../finetuning/gradient.case.js';
import { parametersOf } from '../../graph/index.js';
import { adapterLoss } from './adapted-part-distance.js';

const engine = await nodeEngine({ threads: 1 });
const [width, records, parts] = [4, 3, 2];
const states = (name: string) => floats([records * parts, width], normals(name, records * parts * width, 1));
const feeds = { first: states('first'), second: states('second') };
const loss = adapterLoss(width, { records, parts });

it('is told from its parts: the loss of an adapter that changes nothing yet', async () => {
  const parameters = ordinaryParameters([loss]);
  parameters.up.data.fill(0);
  const [a, b] = [feeds.first.data, feeds.second.data].map((data) =>
    Array.from({ length: records * parts }, (_, i) =>
      Array.from(data.slice(i * width, (i + 1) * width), Number),
    ),
  );
  const unit = (row: readonly number[]) => row.map((x) => x / Math.hypot(...row));
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, i) => sum + value * y[i], 0);
  const contrast = (x: readonly number[][], y: readonly number[][]) => {
    const one = (from: readonly number[][], to: readonly number[][]) =>
      from.reduce((sum, row, i) => {
        const powers = to.map((other) => Math.exp(dot(unit(row), unit(other)) / 0.1));
        return sum - Math.log(powers[i] / powers.reduce((total, power) => total + power, 0)) / from.length;
      }, 0);
    return (one(x, y) + one(y, x)) / 2;
  };
  const means = (rows: readonly number[][]) =>
    Array.from({ length: records }, (_, record) =>
      rows[0].map((_, j) => (rows[record * parts][j] + rows[record * parts + 1][j]) / parts),
    );
  const compactness = a.reduce((sum, row, i) => {
    const others = b.filter((_, j) => Math.floor(j / parts) !== Math.floor(i / parts));
    return sum + (1 - Math.max(...others.map((other) => dot(unit(row), unit(other))))) / a.length;
  }, 0);
  const expected = contrast(a, b) + contrast(means(a), means(b)) + compactness;
  const found = await evaluate(engine, { loss }, { ...feeds, ...parameters });
  expect(found.loss[0]).toBeCloseTo(expected, 4);
});

it('has the gradient of its finite difference', async () => {
  const graph = { loss, parameters: parametersOf([loss]), metrics: {}, evaluation: { loss } };
  await expectGradient(engine, graph, feeds);
});
