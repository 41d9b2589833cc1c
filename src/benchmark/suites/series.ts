/** Three problems of the UEA and UCR archives of time series. Each encoder learns from its own training series. */
import { given } from '../files.js';
import { encoderMethods, finetuned, usualChoices } from '../methods/encoders.js';
import { fitMethods } from '../methods/fit.js';
import {
  constant,
  extraTrees,
  linearOnMiniRocket,
  linearOnValues,
  nearestByTimeWarping,
} from '../methods/simple.js';
import type { BenchmarkTask, Suite } from '../suite.js';

const others = [
  finetuned('MP3', 'pretrained by predicting which token belongs where, then fine-tuned', {
    objective: { kind: 'mp3' },
  }),
  finetuned('group masking', 'pretrained by restoring groups of tokens that were replaced, then fine-tuned', {
    objective: { kind: 'group-masking' },
  }),
];

const task = (
  problem: string,
  patch: number,
  kind: 'binary' | 'multiclass',
  words: string,
): BenchmarkTask => {
  const files = ['TRAIN', 'TEST'].map((part) => `timeseries/${problem}_${part}.ts.gz`);
  const dataset = given(problem, `timeseries/${problem}`, files);
  return {
    name: problem.toLowerCase(),
    title: `${problem}: ${words}`,
    dataset,
    targets: ['label'],
    task: kind,
    metric: 'accuracy',
    splitColumn: 'split',
    split: 'the official one; a tenth of the training series for validation',
    source: 'UEA and UCR time series archives, Bagnall et al. 2018',
    pretraining: {
      dataset,
      config: {
        // Of 40 training series two in a hundred may be none.
        data: { ignore: ['label'], ...(problem === 'BasicMotions' && { valid_fraction: 0.1 }) },
        tokenizer: { patch },
        encoder: { kind: 'perceiver', latents: 16, width: 64, layers: 2, heads: 4 },
        objective: { masking_ratio: 0.5, per_query: 2 },
        training: {
          steps: 1000,
          batch_size: 16,
          learning_rate: 1e-3,
          valid_steps: 200,
          checkpoint_steps: 500,
        },
      },
    },
    finetuning: {
      steps: 300,
      batchSize: 16,
      choices: usualChoices,
    },
    seeds: 5,
    methods: [
      constant,
      linearOnValues,
      extraTrees,
      nearestByTimeWarping,
      linearOnMiniRocket,
      ...encoderMethods,
      ...others,
      ...fitMethods,
    ],
  };
};

export const series: Suite = {
  name: 'series',
  title: 'Time series: three problems of the UEA and UCR archives',
  tasks: [
    task('BasicMotions', 5, 'multiclass', 'four motions, 6 channels × 100 steps'),
    task('GunPoint', 5, 'binary', 'a gun drawn or a finger pointed, 150 steps'),
    task('ItalyPowerDemand', 1, 'binary', 'winter or summer, 24 hours'),
  ],
};
