/** TAPE (Rao et al., NeurIPS 2019): what a protein's sequence says about its brightness, stability, fold and structure. */
import { join } from 'node:path';
import { given, prepared } from '../files.js';
import { convolution } from '../methods/convolution.js';
import {
  encoderMethods,
  finetunedRandom,
  finetunedSma,
  fromScratch,
  usualChoices,
  withEncoder,
} from '../methods/encoders.js';
import { fitMethods, fromScratchMeanOfFolds } from '../methods/fit.js';
import { linearOnWindow } from '../methods/letter-window.js';
import { constant, linearOnOneHot, linearOnValues } from '../methods/simple.js';
import { hasAnyWithin } from '../substrings.js';
import type { BenchmarkTask, Dataset, Finetuning, Method, Pretraining, Suite } from '../suite.js';
import { readTable, recordsIn, writeTable } from '../tables.js';

const FILES = {
  fluorescence: 'tape_fluorescence/fluorescence.csv.gz',
  stability: 'tape_stability/stability.csv.gz',
  remoteHomology: 'tape_remote_homology/remote_homology.csv.gz',
  secondaryStructure: 'tape_secondary_structure/secondary_structure.csv.gz',
  unlabelled: 'protein_pretrain/sequences.fasta.gz',
} as const;

/** Residues of a chain that are read; the others are cropped. */
const MAX_TOKENS = 256;

/** Held-out sequences shorter than this are found in others by chance. */
const SHORTEST = 20;

/** All sequences of the tasks that are not for training. */
async function heldOutSequences(data: string): Promise<Set<string>> {
  const heldOut = new Set<string>();
  for (const file of [FILES.fluorescence, FILES.stability, FILES.remoteHomology, FILES.secondaryStructure]) {
    const { columns, rows } = await readTable(join(data, file));
    const [split, sequence] = ['split', 'sequence'].map((name) => columns.indexOf(name));
    for (const row of rows) if (row[split] !== 'train') heldOut.add(String(row[sequence]));
  }
  return heldOut;
}

const unlabelled: Dataset = {
  name: 'proteins',
  files: Object.values(FILES),
  async open(folders) {
    const name = 'proteins-unlabelled';
    const reason = `any validation or test sequence of the suite within it (of ${SHORTEST} residues or more)`;
    const recipe = { reason };
    const files = Object.values(FILES);
    const options = { name, extension: '.csv', files, recipe };
    const path = await prepared(folders, options, async (target) => {
      const { rows, columns } = await readTable(join(folders.data, FILES.unlabelled));
      const sequence = columns.indexOf('sequence');
      const contains = hasAnyWithin(await heldOutSequences(folders.data), SHORTEST);
      const kept = rows.filter((row) => !contains(String(row[sequence])));
      await writeTable(target, { columns: ['sequence'], rows: kept.map((row) => [row[sequence]]) });
    });
    const of = await recordsIn([join(folders.data, FILES.unlabelled)]);
    return { path, removed: { records: of - (await recordsIn([path])), of, reason } };
  },
};

/** Training and validation chains with the chains of one of the test sets. */
const secondaryStructureWith = (test: 'cb513' | 'ts115'): Dataset => {
  const name = `secondary-structure-${test}`;
  const files = [FILES.secondaryStructure];
  return {
    name,
    files,
    async open(folders) {
      const options = { name, extension: '.csv', files, recipe: { test } };
      const path = await prepared(folders, options, async (target) => {
        const table = await readTable(join(folders.data, FILES.secondaryStructure));
        const wanted = ['split', 'sequence', 'ss3', 'mask'];
        const places = wanted.map((column) => table.columns.indexOf(column));
        const parts = new Map<unknown, string>([
          ['train', 'train'],
          ['valid', 'valid'],
          [test, 'test'],
        ]);
        const rows = table.rows.flatMap((row) => {
          const [split, ...cells] = places.map((place) => row[place]);
          const part = parts.get(split);
          return part === undefined ? [] : [[part, ...cells]];
        });
        await writeTable(target, { columns: wanted, rows });
      });
      return { path };
    },
  };
};

const pretraining: Pretraining = {
  dataset: unlabelled,
  config: {
    tokenizer: { max_tokens: MAX_TOKENS },
    encoder: { kind: 'perceiver', latents: 24, width: 128, layers: 3, heads: 4, cross_heads: 4 },
    objective: { masking_ratio: 0.2, per_query: 8 },
    training: { steps: 3000, batch_size: 64, learning_rate: 1e-3, valid_steps: 500, checkpoint_steps: 500 },
  },
};

const finetuning: Finetuning = {
  steps: 1000,
  batchSize: 64,
  choices: usualChoices,
};

/**
 * The encoder methods again on convolutions, which read the neighbours of a residue at once. They have no attention, so nothing
 * that SMA could be guided by. With `times` a training has as many times the task's steps, and its first choice alone.
 */
function onConvolutions(size: { readonly width: number; readonly layers: number }, times?: number) {
  const encoder = { kind: 'convolution', ...size } as const;
  const trained = (method: Method): Method =>
    times === undefined ? method : { ...method, choices: (task) => [{ ...method.choices(task)[0], times }] };
  const variant = (method: Method, name: string, description: string) =>
    withEncoder(trained(method), encoder, { name, description });
  return [
    variant(
      fromScratch,
      'from scratch, convolution encoder',
      'an encoder of two layers of convolutions, for remote homology three and wider ones, never pretrained, trained on the labels',
    ),
    // `fit` has no folds of so many records.
    variant(
      fromScratchMeanOfFolds(5),
      'from scratch, convolution encoder, mean of folds',
      'the same, never pretrained, trained five times, on four fifths of the labels of training and validation each, and the mean of the five; validation is on the fifth that each did not see',
    ),
    variant(
      finetunedRandom,
      'random masking, convolution encoder',
      'the same encoder, pretrained by predicting tokens hidden at random, then fine-tuned',
    ),
  ];
}

const narrow = { width: 64, layers: 2 };
const wide = { width: 128, layers: 3 };

const common = { pretraining, finetuning, seeds: 3, splitColumn: 'split' };

const fluorescence: BenchmarkTask = {
  ...common,
  name: 'fluorescence',
  title: 'Fluorescence',
  dataset: given('fluorescence', FILES.fluorescence),
  targets: ['log_fluorescence'],
  task: 'regression',
  metric: 'spearman',
  split: "TAPE's own: train and validation up to 3 mutations, test 4 to 15",
  source: 'Sarkisyan et al., Nature 2016',
  // Twelve passes, at the rate that validation chose in every training of three.
  finetuning: {
    ...finetuning,
    steps: 4000,
    validations: 20,
    patience: 6,
    choices: [usualChoices[0]],
  },
  methods: [
    constant,
    linearOnOneHot,
    linearOnValues,
    convolution(1),
    ...encoderMethods,
    ...onConvolutions(narrow),
    ...fitMethods,
  ],
};

const stability: BenchmarkTask = {
  ...common,
  name: 'stability',
  title: 'Stability',
  dataset: given('stability', FILES.stability),
  targets: ['stability_score'],
  task: 'regression',
  metric: 'spearman',
  split: "TAPE's own: test on neighbours of 17 proteins",
  source: 'Rocklin et al., Science 2017',
  // Nearly ten passes, at the rate that validation chose in every training of one.
  finetuning: { ...finetuning, steps: 8000, validations: 20, choices: [usualChoices[0]] },
  methods: [
    constant,
    linearOnOneHot,
    linearOnValues,
    convolution(3),
    ...encoderMethods,
    ...onConvolutions(narrow),
    ...fitMethods,
  ],
};

const remoteHomology: BenchmarkTask = {
  ...common,
  name: 'remote-homology',
  title: 'Remote homology',
  dataset: given('remote-homology', FILES.remoteHomology),
  targets: ['fold_label'],
  task: 'multiclass',
  metric: 'accuracy',
  split: "TAPE's own, fold level: no test superfamily is in training",
  source: 'Hou et al., Bioinformatics 2018 (SCOP 1.75)',
  // Of 1,195 folds every model that fit tries takes too long.
  methods: [constant, linearOnValues, ...encoderMethods, ...onConvolutions(wide, 1.5)],
};

const secondaryStructure = (
  test: 'cb513' | 'ts115',
  title: string,
  { scored, published = '' }: { scored: string; published?: string },
): BenchmarkTask => ({
  ...common,
  name: `secondary-structure-${test}`,
  title: `Secondary structure, ${title}`,
  dataset: secondaryStructureWith(test),
  targets: ['ss3'],
  maskColumn: 'mask',
  task: 'per-token',
  metric: 'accuracy',
  split: `test ${title}, validation as in TAPE, training chains of NetSurfP-2.0 less those near a held-out one; only the first ${MAX_TOKENS} residues of a chain are read and scored: ${scored}`,
  source: `Klausen et al., Proteins 2019 (NetSurfP-2.0), helix, strand and coil${published}`,
  methods: [constant, linearOnWindow, fromScratch, finetunedRandom, finetunedSma],
});

export const tape: Suite = {
  name: 'tape',
  title: 'TAPE: proteins',
  tasks: [
    fluorescence,
    stability,
    remoteHomology,
    secondaryStructure('cb513', 'CB513', {
      scored: '64,839 of 83,772 labelled test residues, of 469 of 511 chains',
      published: '; TAPE reports 0.69 on one-hot letters and 0.73 for its transformer, on all residues',
    }),
    secondaryStructure('ts115', 'TS115', {
      scored: '20,688 of 27,501 labelled test residues, of all 115 chains',
    }),
  ],
};
