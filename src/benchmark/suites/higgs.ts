/** HIGGS (Baldi et al., Nature Communications 2014): is a collision a signal? From 28 features, with few labels and many. */
import { join } from 'node:path';
import { partOf } from '../../records/split.js';
import { prepared } from '../files.js';
import { encoderMethods, usualChoices } from '../methods/encoders.js';
import { boostedTrees, constant, extraTrees, linearOnValues, randomForest } from '../methods/simple.js';
import type { BenchmarkTask, Dataset, Pretraining, Suite } from '../suite.js';
import { readTable, writeTable } from '../tables.js';

const FILE = 'higgs/higgs.csv.gz';

/** The first `labels` training rows, of which some are held out for validation, and all test rows. */
const labelled = (name: string, labels: number, validFraction: number): Dataset => ({
  name,
  files: [FILE],
  async open(folders) {
    const recipe = { labels, validFraction };
    const path = await prepared(
      folders,
      { name, extension: '.csv', files: [FILE], recipe },
      async (target) => {
        const { columns, rows } = await readTable(join(folders.data, FILE));
        const split = columns.indexOf('split');
        let kept = 0;
        const chosen = rows.flatMap((row, i) => {
          if (row[split] === 'test') return [row];
          if (kept++ >= labels) return [];
          const part = partOf(String(i), 0, { valid: validFraction, test: 0 });
          return [row.map((cell, column) => (column === split ? part : cell))];
        });
        await writeTable(target, { columns, rows: chosen });
      },
    );
    return { path };
  },
});

const pretraining: Pretraining = {
  dataset: {
    name: 'higgs-unlabelled',
    files: [FILE],
    async open(folders) {
      let removed = { records: 0, of: 0, reason: 'the test rows of the suite' };
      const { columns, rows } = await readTable(join(folders.data, FILE));
      const [split, ...dropped] = ['split', 'source', 'label'].map((name) => columns.indexOf(name));
      const features = columns.flatMap((_, column) => ([split, ...dropped].includes(column) ? [] : [column]));
      const training = rows.filter((row) => row[split] === 'train');
      removed = { ...removed, records: rows.length - training.length, of: rows.length };
      const path = await prepared(
        folders,
        { name: 'higgs-unlabelled', extension: '.csv', files: [FILE], recipe: 'features of training rows' },
        (target) =>
          writeTable(target, {
            columns: features.map((column) => columns[column]),
            rows: training.map((row) => features.map((column) => row[column])),
          }),
      );
      return { path, removed };
    },
  },
  config: {
    encoder: { kind: 'perceiver', latents: 16, width: 64, layers: 3, heads: 4 },
    objective: { masking_ratio: 0.3, per_query: 4 },
    training: { steps: 4000, batch_size: 128, learning_rate: 1e-3, valid_steps: 500, checkpoint_steps: 500 },
  },
};

const task = (name: string, labels: number, validFraction: number, words: string): BenchmarkTask => ({
  name,
  title: `HIGGS, ${words}`,
  dataset: labelled(name, labels, validFraction),
  targets: ['label'],
  task: 'binary',
  metric: 'accuracy',
  splitColumn: 'split',
  split: `${words} of the 20,984 training rows, ${100 * validFraction} % of them for validation; the given 5,000 test rows`,
  source: 'UCI HIGGS, 25,984 of its 11 million rows',
  pretraining,
  finetuning: {
    steps: 1000,
    batchSize: 64,
    choices: usualChoices,
  },
  seeds: 10,
  methods: [constant, linearOnValues, boostedTrees, randomForest, extraTrees, ...encoderMethods],
});

export const higgs: Suite = {
  name: 'higgs',
  title: 'HIGGS: collider events with few labels and many',
  tasks: [
    task('higgs-1k', 1000, 0.2, '1,000 labels'),
    task('higgs-10k', 10_000, 0.1, '10,000 labels'),
    task('higgs-all', 20_984, 0.1, 'all labels'),
  ],
};
