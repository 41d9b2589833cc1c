import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { random } from '../../tensor/random.js';
import { runSuite } from '../bench.js';
import { given } from '../files.js';
import type { BenchmarkTask } from '../suite.js';
import { fitMethods } from './fit.js';

const ROWS = 80;
const PARTS = ['train', 'train', 'train', 'valid', 'test'];
const { normal } = random(3, 'fit as a method');
const rows = Array.from({ length: ROWS }, (_, i) => {
  const [a, b, noise] = [normal(), normal(), normal()];
  return { a, b, y: 2 * a - b + 0.1 * noise, part: PARTS[i % PARTS.length] };
});
const csv = (testLabel: (y: number) => number) =>
  [
    'a,b,y,split',
    ...rows.map(({ a, b, y, part }) => `${a},${b},${part === 'test' ? testLabel(y) : y},${part}`),
    '',
  ].join('\n');

const dataset = given('sums', 'sums.csv');
const task: BenchmarkTask = {
  name: 'sums',
  title: 'Sums',
  dataset,
  targets: ['y'],
  task: 'regression',
  metric: 'rmse',
  splitColumn: 'split',
  split: 'every fifth row',
  source: 'drawn',
  pretraining: {
    dataset,
    config: {
      data: { columns: ['a', 'b'] },
      encoder: { kind: 'transformer', width: 8, layers: 1, heads: 1 },
      objective: { masking_ratio: 0.5, per_query: 1 },
      training: { steps: 4, batch_size: 8, learning_rate: 1e-3 },
    },
  },
  finetuning: { steps: 4, batchSize: 8, choices: [{ learningRate: 1e-3, layerDecay: 1 }] },
  seeds: 1,
  methods: fitMethods,
};

let folder: string;
const run = async (name: string, testLabel: (y: number) => number) => {
  await writeFile(join(folder, 'sums.csv'), csv(testLabel));
  const { results } = await runSuite(
    { name: 'sums', title: 'Sums', tasks: [task] },
    { data: folder, out: join(folder, name), threads: 1 },
  );
  return results.cells;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-fit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('is chosen by validation alone, and the encoder is only where the name says so', async () => {
  const [single, simple, all, fresh, alone] = await run('first', (y) => y);
  expect(all.valid!).toBeLessThanOrEqual(simple.valid!);
  for (const { pretraining } of [single, simple, fresh]) expect(pretraining).toBeUndefined();
  for (const { pretraining } of [all, alone]) expect(pretraining).toMatch(/^sums-sma-/);
  expect(alone.valid).not.toBe(fresh.valid);
  expect(all.valid!).toBeLessThanOrEqual(alone.valid!);
  for (const { chosen } of [single, simple])
    expect(Object.values(chosen).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1);
  expect(Object.keys(single.chosen)).toHaveLength(1);
  const others = await run('second', (y) => y + 10);
  expect(others.map(({ valid }) => valid)).toEqual(
    [single, simple, all, fresh, alone].map(({ valid }) => valid),
  );
  for (const { test } of others) expect(test!).toBeGreaterThan(5);
}, 120_000);
