import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, input, sumAll } from '../graph/index.js';
import { permutation, random } from '../tensor/random.js';
import { contrastiveLoss } from './simclr.js';

const engine = await nodeEngine({ threads: 1 });
const [RECORDS, WIDTH] = [4, 3];
const COUNT = 2 * RECORDS;
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

/** The formula of the paper, pair by pair. */
function naive(values: ArrayLike<number>, temperature: number, counted: readonly number[]): number[] {
  const vector = (i: number) => Array.from({ length: WIDTH }, (_, c) => values[i * WIDTH + c]);
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, c) => sum + value * b[c], 0);
  const cosine = (i: number, j: number) =>
    dot(vector(i), vector(j)) / Math.sqrt(dot(vector(i), vector(i)) * dot(vector(j), vector(j)));
  return counted.map((i) => {
    const others = counted.filter((j) => j !== i).map((j) => Math.exp(cosine(i, j) / temperature));
    const positive = Math.exp(cosine(i, (i + RECORDS) % COUNT) / temperature);
    return -Math.log(positive / others.reduce((a, b) => a + b));
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
    for (const [i, value] of loss.entries()) expect(value).toBeCloseTo(expected[i % RECORDS], 5);
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
        for (const [place, expected] of naive(values, temperature, counted).entries())
          expect(loss[counted[place]]).toBeCloseTo(expected, 4);
      }
    }
  });

  it('does not depend on lengths, nor on the order of the records', async () => {
    const values = normals('x', COUNT * WIDTH);
    const before = await lossOf(values);
    const longer = values.map((value, i) => value * (1 + Math.floor(i / WIDTH)));
    for (const [i, value] of (await lossOf(longer)).entries()) expect(value).toBeCloseTo(before[i], 5);
    const order = permutation(RECORDS, random(1, 'order', 0, 0));
    const places = [...order, ...order.map((i) => i + RECORDS)];
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
