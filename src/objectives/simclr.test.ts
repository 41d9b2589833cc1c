import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, input, sumAll } from '../graph/index.js';
import { permutation, random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { cosine, lossAndVectors, meanOf, RECORDS, ROWS, rowsOf, sumOf } from './joint-embedding.case.js';
import { batchNormOver, project, stackedCopies } from './joint-embedding.js';
import { range } from './objective.case.js';
import { contrastiveLoss } from './simclr.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const [PAIRS, WIDTH] = [4, 3];
const COUNT = 2 * PAIRS;
const x = input('x', 'float32', [COUNT, WIDTH]);
const rows = input('rows', 'float32', [COUNT]);

const lossOf = async (
  values: ArrayLike<number>,
  temperature = 0.5,
  counted = new Float32Array(COUNT).fill(1),
) =>
  (
    await evaluate(
      engine,
      { loss: contrastiveLoss(x, rows, temperature) },
      { x: floats([COUNT, WIDTH], values), rows: floats([COUNT], counted) },
    )
  ).loss;

/** The formula of the paper, pair by pair, of those vectors that count. */
function naive(vectors: readonly number[][], temperature: number, counted: readonly number[]): number[] {
  const likeness = (i: number, j: number) => Math.exp(cosine(vectors[i], vectors[j]) / temperature);
  return counted.map((i) => {
    const others = counted.filter((j) => j !== i).map((j) => likeness(i, j));
    const positive = likeness(i, (i + vectors.length / 2) % vectors.length);
    return -Math.log(positive / sumOf(others));
  });
}

describe('the contrastive loss', () => {
  it('of four records at right angles, each twice, in three and one opposite directions', async () => {
    // Cosines 1 with the other view, −1 with the opposite pair, 0 with the rest.
    const views = [1, 0, 0, 0, 1, 0, 0, 0, 1, -1, 0, 0];
    const loss = await lossOf([...views, ...views], 1);
    const [pair, none, opposite] = [Math.E, 1, 1 / Math.E];
    const expected = [
      -Math.log(pair / (pair + 4 * none + 2 * opposite)),
      -Math.log(pair / (pair + 6 * none)),
      -Math.log(pair / (pair + 6 * none)),
      -Math.log(pair / (pair + 4 * none + 2 * opposite)),
    ];
    for (const [i, value] of loss.entries()) expect(value).toBeCloseTo(expected[i % PAIRS], 5);
  });

  it('is that of the formula, over the rows that count', async () => {
    const values = normals('x', COUNT * WIDTH);
    for (const temperature of [0.1, 0.5, 2]) {
      for (const counted of [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 4, 5],
      ]) {
        const weights = new Float32Array(COUNT);
        for (const i of counted) weights[i] = 1;
        const loss = await lossOf(values, temperature, weights);
        for (const [place, expected] of naive(rowsOf(values, WIDTH), temperature, counted).entries())
          expect(loss[counted[place]]).toBeCloseTo(expected, 4);
      }
    }
  });

  it('does not depend on lengths, nor on the order of the records', async () => {
    const values = normals('x', COUNT * WIDTH);
    const before = await lossOf(values);
    const longer = values.map((value, i) => value * (1 + Math.floor(i / WIDTH)));
    for (const [i, value] of (await lossOf(longer)).entries()) expect(value).toBeCloseTo(before[i], 5);
    const order = permutation(PAIRS, random(1, 'order', 0, 0));
    const places = [...order, ...order.map((i) => i + PAIRS)];
    const moved = Float32Array.from(places.flatMap((i) => [...values.slice(i * WIDTH, (i + 1) * WIDTH)]));
    for (const [i, value] of (await lossOf(moved)).entries()) expect(value).toBeCloseTo(before[places[i]], 5);
  });

  it('is that of chance where all vectors are one, with a finite gradient there and at zero', async () => {
    const [slope] = gradients(sumAll(contrastiveLoss(x, rows, 0.1)), [x]);
    for (const value of [0, 1]) {
      const same = new Float32Array(COUNT * WIDTH).fill(value);
      for (const loss of await lossOf(same)) expect(loss).toBeCloseTo(Math.log(COUNT - 1), 5);
      const feeds = {
        x: floats([COUNT, WIDTH], same),
        rows: floats([COUNT], new Float32Array(COUNT).fill(1)),
      };
      expect((await evaluate(engine, { slope }, feeds)).slope.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('the loss of SimCLR', () => {
  it.each(Object.entries(real))(
    "tells a view's other view from all views of the other records, beside ln(2n − 1) of n records: %s tokens",
    async (_, records) => {
      const temperature = 0.2;
      const setting = { kind: 'simclr', options: { temperature } } as const;
      const { numbers, vectors } = await lossAndVectors(records, setting, ({ options, rows, views }) => ({
        projection: project('projector', views(2), options, batchNormOver(stackedCopies(rows, 2), true)),
      }));
      const counted = [...range(RECORDS), ...range(RECORDS).map((row) => ROWS + row)];
      expect(numbers.loss).toBeCloseTo(meanOf(naive(vectors.projection, temperature, counted)), 4);
      expect(numbers.marginal_loss).toBeCloseTo(Math.log(2 * RECORDS - 1), 5);
      expect(numbers.weight).toBe(RECORDS);
    },
  );
});
