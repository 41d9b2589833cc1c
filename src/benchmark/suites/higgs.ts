/** HIGGS (Baldi et al., Nature Communications 2014): is a collision a signal? From 28 features, with few labels and many. */
import { join } from 'node:path';
import { partOf } from '../../records/split.js';
import { prepared } from '../files.js';
import { encoderMethods, fromScratchForLonger, longTraining } from '../methods/encoders.js';
import { fitMethods } from '../methods/fit.js';
import { boostedTrees, constant, extraTrees, linearOnValues, randomForest } from '../methods/simple.js';
import type { BenchmarkTask, Dataset, Pretraining, Suite } from '../suite.js';
import { readTable, type Table, writeTable } from '../tables.js';

const FILE = 'higgs/higgs.csv.gz';

/** A part of the training rows has three decimals and the others more, by which a classifier could tell them apart. */
const DECIMALS = 3;

/** The file with all of its numbers rounded alike. */
async function readEvents(data: string): Promise<Table> {
  const { columns, rows } = await readTable(join(data, FILE));
  const round = (cell: Table['rows'][number][number]) =>
    typeof cell === 'number' ? Number(cell.toFixed(DECIMALS)) : cell;
  return { columns, rows: rows.map((row) => row.map(round)) };
}

/**
 * The tasks: how many labels, the part of them that validation takes, and steps of a training on the labels: about 30 passes,
 * with all labels ten.
 */
const TASKS = {
  'higgs-1k': { labels: 1000, validFraction: 0.2, words: '1,000 labels', steps: 400 },
  'higgs-10k': { labels: 10_000, validFraction: 0.1, words: '10,000 labels', steps: 4300 },
  'higgs-all': { labels: 20_984, validFraction: 0.1, words: 'all labels', steps: 3000 },
} as const;

/** The part of a training row, by its place in the file and among the training rows; undefined where it has no label. */
function partOfRow(
  place: number,
  rank: number,
  { labels, validFraction }: (typeof TASKS)[keyof typeof TASKS],
) {
  return rank >= labels ? undefined : partOf(String(place), 0, { valid: validFraction, test: 0 });
}

/** The first `labels` training rows, of which some are held out for validation, and all test rows. */
const labelled = (name: keyof typeof TASKS): Dataset => ({
  name,
  files: [FILE],
  async open(folders) {
    const { labels, validFraction } = TASKS[name];
    const recipe = { labels, validFraction, decimals: DECIMALS };
    const path = await prepared(
      folders,
      { name, extension: '.csv', files: [FILE], recipe },
      async (target) => {
        const { columns, rows } = await readEvents(folders.data);
        const split = columns.indexOf('split');
        let rank = 0;
        const chosen = rows.flatMap((row, place) => {
          if (row[split] === 'test') return [row];
          const part = partOfRow(place, rank++, TASKS[name]);
          return part ? [row.map((cell, column) => (column === split ? part : cell))] : [];
        });
        await writeTable(target, { columns, rows: chosen });
      },
    );
    return { path };
  },
});

/** A transformer and a mask as the authors of SMA have them, at half their width. */
const pretraining: Pretraining = {
  dataset: {
    name: 'higgs-unlabelled',
    files: [FILE],
    async open(folders) {
      const reason = 'the test rows and the validation rows of every task';
      const { columns, rows } = await readEvents(folders.data);
      const [split, ...dropped] = ['split', 'source', 'label'].map((name) => columns.indexOf(name));
      const features = columns.flatMap((_, column) => ([split, ...dropped].includes(column) ? [] : [column]));
      let rank = 0;
      const training = rows.filter((row, place) => {
        if (row[split] !== 'train') return false;
        const own = rank++;
        return Object.values(TASKS).every((task) => partOfRow(place, own, task) !== 'valid');
      });
      const removed = { records: rows.length - training.length, of: rows.length, reason };
      const recipe = { learned: 'features of training rows', decimals: DECIMALS, without: reason };
      const path = await prepared(
        folders,
        { name: 'higgs-unlabelled', extension: '.csv', files: [FILE], recipe },
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
    encoder: { kind: 'transformer', width: 64, layers: 4, heads: 4 },
    objective: {
      masking_ratio: 0.2,
      per_query: 3,
      attention_heads: 'random-mix',
      mask_self: true,
      schedule_fraction: 0.25,
    },
    // 25 passes.
    training: { steps: 3600, batch_size: 128, learning_rate: 1e-3, valid_steps: 360, checkpoint_steps: 360 },
  },
};

const task = (name: keyof typeof TASKS): BenchmarkTask => ({
  name,
  title: `HIGGS, ${TASKS[name].words}`,
  dataset: labelled(name),
  targets: ['label'],
  task: 'binary',
  metric: 'accuracy',
  splitColumn: 'split',
  split: `${TASKS[name].words} of the 20,984 training rows, ${100 * TASKS[name].validFraction} % of them for validation; the given 5,000 test rows`,
  source: 'UCI HIGGS, 25,984 of its 11 million rows',
  pretraining,
  finetuning: {
    steps: TASKS[name].steps,
    batchSize: 64,
    ...longTraining,
  },
  seeds: 6,
  pretrainingSeeds: 3,
  methods: [
    constant,
    linearOnValues,
    boostedTrees,
    randomForest,
    extraTrees,
    ...encoderMethods,
    fromScratchForLonger,
    ...fitMethods,
  ],
});

const tenThousandLabels = task('higgs-10k');

/** The task of 10,000 labels with ten passes over them instead of 30: what studies of many encoders can pay for. */
export const higgsForStudies: BenchmarkTask = {
  ...tenThousandLabels,
  finetuning: { ...tenThousandLabels.finetuning, steps: 1400 },
};

export const higgs: Suite = {
  name: 'higgs',
  title: 'HIGGS: collider events with few labels and many',
  tasks: (Object.keys(TASKS) as (keyof typeof TASKS)[]).map(task),
};
