import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { comparisonPage } from '../report/run-comparison.js';
import { readScores, type Scores, writeScores } from './scores.js';

it('scores that are undefined are so when they are read again, and in a comparison', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lacuna-scores-'));
  const none = { mean: Number.NaN, sd: Number.NaN, low: Number.NaN, high: Number.NaN, n: 1 };
  const scores: Scores = {
    task: 'binary',
    targets: ['toxic'],
    metric: 'roc-auc',
    higherIsBetter: true,
    split: { by: 'at random', train: 10, valid: 5, test: 1 },
    methods: [
      { ...none, method: 'sma', metric: 'roc-auc', perSeed: [Number.NaN], validPerSeed: [0.5], seconds: 1 },
    ],
  };
  await writeScores(folder, scores);
  const read = await readScores(folder);
  expect(read).toEqual(scores);
  const run = { name: 'a', config: {} as never, metrics: [], done: true, scores: read };
  const { sections } = await comparisonPage([run]);
  const [table] = sections.find(({ title }) => title === 'Scores')!.blocks;
  expect(table.kind === 'table' && table.rows).toEqual([['A', 'sma', '0.5', '–', '1', '1.0']]);
  await rm(folder, { recursive: true });
});
