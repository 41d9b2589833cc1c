import { describe, expect, it } from 'vitest';
import { evaluate, integers } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { random } from '../tensor/random.js';
import { dropoutMask } from './dropout.js';

const engine = await nodeEngine({ threads: 1 });
const [BATCH, HEADS, N] = [24, 2, 96];

/** Masks of one shape for so many records: 1 where kept. */
async function masks(rate: number, { site = 'here', step = 0 } = {}): Promise<Uint8Array> {
  const { integer } = random(5, 'dropout', step);
  const seeds = Int32Array.from({ length: BATCH }, () => integer(2 ** 32) | 0);
  const mask = dropoutMask(site, [BATCH, HEADS, N, N], rate, { seeds: g.input('seeds', 'int32', [BATCH]) });
  const { y } = await evaluate(engine, { y: mask }, { seeds: integers([BATCH], [...seeds]) });
  const values = new Set(y);
  expect([...values].sort()).toEqual([0, Math.fround(1 / (1 - rate))]);
  return Uint8Array.from(y, (value) => (value > 0 ? 1 : 0));
}

/** Standard scores of a count of ones among independent draws of probability p. */
const score = (count: number, n: number, p: number) => (count - n * p) / Math.sqrt(n * p * (1 - p));

describe('a dropout mask', () => {
  it.each([0.1, 0.5])('drops each element with probability %s', async (rate) => {
    const kept = await masks(rate);
    let all = 0;
    const byColumn = new Array<number>(N).fill(0);
    const byRow = new Array<number>(N).fill(0);
    kept.forEach((on, i) => {
      all += on;
      byColumn[i % N] += on;
      byRow[Math.floor(i / N) % N] += on;
    });
    expect(Math.abs(score(all, kept.length, 1 - rate))).toBeLessThan(4.5);
    for (const sums of [byColumn, byRow])
      for (const sum of sums) expect(Math.abs(score(sum, kept.length / N, 1 - rate))).toBeLessThan(5);
  });

  it.each([
    ['a column beside it', 1],
    ['a row below it', N],
    ['the next head', N * N],
    ['the next record', HEADS * N * N],
  ])('draws an element independently of that in %s', async (_, distance) => {
    const kept = await masks(0.5);
    let equal = 0;
    for (let i = 0; i + distance < kept.length; i++) equal += kept[i] === kept[i + distance] ? 1 : 0;
    expect(Math.abs(score(equal, kept.length - distance, 0.5))).toBeLessThan(4.5);
  });

  it('draws the corners of a rectangle independently', async () => {
    const kept = await masks(0.5);
    let [even, n] = [0, 0];
    for (let map = 0; map < kept.length; map += N * N)
      for (let row = 0; row + 1 < N; row += 2)
        for (let column = 0; column + 1 < N; column += 2) {
          const at = map + row * N + column;
          even += (kept[at] + kept[at + 1] + kept[at + N] + kept[at + N + 1]) % 2 === 0 ? 1 : 0;
          n++;
        }
    expect(Math.abs(score(even, n, 0.5))).toBeLessThan(4.5);
  });

  it('follows from its numbers, differently at another site or step', async () => {
    const [one, again, elsewhere, later] = [
      await masks(0.5),
      await masks(0.5),
      await masks(0.5, { site: 'there' }),
      await masks(0.5, { step: 1 }),
    ];
    expect(Buffer.compare(again, one)).toBe(0);
    for (const other of [elsewhere, later]) {
      const equal = one.reduce((sum, on, i) => sum + (on === other[i] ? 1 : 0), 0);
      expect(Math.abs(score(equal, one.length, 0.5))).toBeLessThan(4.5);
    }
  });
});
