/**
 * Every configuration key: its type, what it means and an example. Command-line options, their help, the checks and the
 * error messages are all made from this one table, so a new key is one line here. Members of a family, such as objectives,
 * declare their own.
 */

import { z } from 'zod';
import {
  type EncoderChoice,
  type EncoderOptions,
  type EncoderSizes,
  encoderNamed,
  encoderOptions,
  encoders,
} from '../encoders/index.js';
import { devices } from '../engine/engine.js';
import { targetTransforms } from '../finetuning/label-scale.js';
import { heads } from '../finetuning/labelled-graph.js';
import {
  type RegularizerOptions,
  regularizerOptions,
  regularizers,
} from '../finetuning/regularizers/index.js';
import { selfTrainings, teacherOptions } from '../finetuning/self-training.js';
import { type TuningOptions, tuningOptions, tunings } from '../finetuning/tunings/index.js';
import { soupOptions, soups } from '../finetuning/weight-soup.js';
import { type DropoutRates, dropoutOptions } from '../layers/dropout.js';
import {
  type ObjectiveChoice,
  type ObjectiveOptions,
  objectiveNamed,
  objectiveOptions,
  objectives,
} from '../objectives/index.js';
import type { Option } from '../options.js';
import { protocols } from '../probes/index.js';
import { formatExtensions } from '../records/formats.js';
import { SPLIT_DRAWS } from '../records/split.js';
import { metrics, tasks } from '../scoring/metrics.js';
import { type BytePairsOptions, tokenizerOptions, tokenizers } from '../tokenizers/index.js';
import { count, fraction, type KeysOf, key, keysOf, memberOf, names, positive } from './keys.js';
import { readingSchemas } from './reading.js';

/** How a sweep tries settings, and what it judges them by. */
const sweepMethods = ['grid', 'random', 'halving'] as const;
const judges = ['validation-loss', 'probe', 'finetune'] as const;

/** The schemas of a configuration, with the members that all families have now. */
function build() {
  const reading = readingSchemas();

  const splitting = {
    split_column: key(z.string().min(1), 'column that says train, valid or test', 'split'),
    validation_column: key(
      z.string().min(1),
      'column of true and false beside it: which training records are for validation',
      'validation',
    ),
    valid_fraction: key(
      fraction(),
      'part of the records held out for validation, where no column says which',
      0.1,
    ),
    test_fraction: key(
      fraction(),
      'part of the records held out for the test, where no column says which',
      0.1,
    ),
  };

  const data = z.strictObject({
    path: key(
      z.string().min(1),
      'the file to read, or a folder of files that belong together',
      'molecules.csv',
    ),
    ...reading,
    columns: key(names(), 'only these columns become tokens', ['smiles']),
    ignore: key(names(), 'these columns never become tokens', ['id', 'label']),
    split: key(z.enum(['random']), 'parts are drawn, whatever a column says', 'random'),
    ...splitting,
  });

  const tokenizer = z.strictObject({
    kind: key(memberOf(tokenizers), 'how a record becomes tokens', 'sequence'),
    max_tokens: key(
      count(),
      'most tokens of a record: longer texts are cropped, images and series cut into larger patches',
      128,
    ),
    patch: key(count(), 'side of a square image patch in pixels, or steps of a time series in one token', 4),
    ...(keysOf(tokenizerOptions()) as KeysOf<BytePairsOptions>),
  });

  const encoder = z.strictObject({
    kind: key(memberOf(encoders), 'architecture', 'perceiver'),
    ...(keysOf(encoderOptions()) as KeysOf<EncoderSizes & EncoderOptions>),
  });

  const objective = z.strictObject({
    kind: key(memberOf(objectives), 'what is learned without labels', 'sma'),
    ...(keysOf(objectiveOptions()) as KeysOf<ObjectiveOptions>),
  });

  const optimization = {
    steps: key(count(), 'optimizer steps', 10_000),
    epochs: key(positive(), 'passes over the training records, instead of steps', 10),
    batch_size: key(count(), 'records per step', 64),
    learning_rate: key(positive(), 'peak learning rate', 0.001),
  };

  const training = z.strictObject({
    ...optimization,
    warmup_steps: key(z.int().min(0), 'steps of linear warm-up before the cosine decay', 500),
    schedule: key(
      z.enum(['cosine', 'infinite']),
      'learning rate after the warm-up: a cosine to 0, or to a constant rate that is held until a last anneal',
      'infinite',
    ),
    cooldown_steps: key(z.int().min(0), 'steps from the peak to the constant rate (infinite schedule)', 1000),
    constant_rate: key(
      z.number().gt(0).max(1),
      'rate that is held, as a part of the peak (infinite schedule)',
      0.25,
    ),
    anneal_steps: key(z.int().min(0), 'last steps, down to 0 (infinite schedule)', 500),
    weight_decay: key(z.number().min(0), 'decoupled weight decay of AdamW', 0.01),
    clip_norm: key(positive(), 'largest global norm of a gradient', 1),
    ...(keysOf(dropoutOptions) as KeysOf<Required<DropoutRates>>),
    seed: key(z.int().min(0), 'all random numbers follow from it', 0),
    threads: key(count(), 'threads of the engine', 2),
    device: key(
      z.enum(devices),
      'what networks are computed on: the processor, a GPU through WebGPU, or (auto) the GPU where it is faster',
      'auto',
    ),
    from: key(
      z.string().min(1),
      'folder of a run to start from: with its tokenizer, its encoder and its parameters',
      'runs/first',
    ),
    recompute: key(
      z.boolean(),
      'compute the layers a second time for the gradient instead of keeping them: less memory, slower',
      true,
    ),
    subnetworks: key(
      z.number().gt(0).lt(1),
      'part of the layers above the first, and of their heads and hidden units, that each step trains at first',
      0.5,
    ),
    randomize_smiles: key(
      z.boolean(),
      'train on another SMILES of each molecule in every epoch, drawn by the seed; all else is by the SMILES of the file',
      true,
    ),
    feature_targets: key(
      z.string().min(1),
      'features that are predicted of each record, too: descriptors or fingerprints of molecules, words of texts, …',
      'descriptors',
    ),
    feature_weight: key(
      positive(),
      'what their loss counts for beside that of the objective (feature_targets)',
      1,
    ),
    monitor_target: key(
      z.string().min(1),
      'column of labels that validations tell a nearest-neighbour score of; it never becomes a token',
      'label',
    ),
    log_steps: key(count(), 'steps between two lines of metrics.jsonl', 10),
    valid_steps: key(count(), 'steps between two validations', 200),
    checkpoint_steps: key(count(), 'steps between two checkpoints', 500),
    kept_checkpoints: key(z.int().min(2), 'checkpoints that are kept, the newest', 20),
  });

  const labels = {
    ...reading,
    task: key(z.enum(tasks), 'what the targets are, when their values do not tell', 'regression'),
    target: key(names(), 'the columns to predict', ['label']),
    metric: key(
      z.string().min(1),
      `how predictions are scored: ${Object.keys(metrics).join(', ')}`,
      'roc-auc',
    ),
    split: key(
      z.enum(SPLIT_DRAWS),
      'how parts are drawn, whatever a column says: record by record (equal ones together), row by row, or molecules of one scaffold together, the largest groups in training or by chance',
      'scaffold',
    ),
    ...splitting,
    strict: key(
      z.boolean(),
      'refuse test records that pretraining learned from, instead of counting them',
      true,
    ),
  };

  const repeated = {
    splits: key(count(), 'times that the parts are drawn, with seeds 0, 1, …; every split is scored', 5),
    shots: key(
      z.array(count()).min(1),
      'learning curve: so many training labels of each class, or in all where there are no classes',
      [1, 5, 10],
    ),
  };

  const finetune = z.strictObject({
    ...labels,
    ...repeated,
    mask_column: key(
      z.string().min(1),
      'column of text with 0 or 1 for each token: labels of tokens with 0 are left out (task per-token)',
      'mask',
    ),
    head: key(
      z.enum(heads),
      'what the head reads of a record: the mean of the states, or what a learned query finds in them',
      'attention',
    ),
    randomize_smiles: training.shape.randomize_smiles,
    target_transform: key(
      z.enum(targetTransforms),
      'what is learned of regression labels: shifted and divided, their normal quantiles, or their logarithms',
      'quantile',
    ),
    ...optimization,
    validations: key(count(), 'validations of a run, of which the best decides what is kept', 20),
    patience: key(count(), 'validations in a row without a better one after which a run ends', 5),
    weight_average: key(
      z.number().gt(0).lt(1),
      'decay per step of a running average of the weights, which is validated too and kept where it is better',
      0.999,
    ),
    seeds: key(count(), 'runs, with seeds 0, 1, …', 3),
    weight_decay: training.shape.weight_decay,
    clip_norm: training.shape.clip_norm,
    ...(keysOf(dropoutOptions) as KeysOf<Required<DropoutRates>>),
    layer_decay: key(
      z.number().gt(0).max(1),
      'learning rate of each layer as a part of that of the layer above it',
      0.75,
    ),
    tuning: key(
      memberOf(tunings),
      'what of the encoder is trained: all, nothing, low-rank updates of its linear layers, its norms and biases, a sparse dictionary of its tokens, or one projection of what enters it',
      'lora',
    ),
    ...(keysOf(tuningOptions()) as KeysOf<Required<TuningOptions>>),
    regularizer: key(
      memberOf(regularizers),
      'what is minimised instead of the loss of the labels alone: of mixed records, or with a contrast of them',
      'mixup',
    ),
    ...(keysOf(regularizerOptions()) as KeysOf<Required<RegularizerOptions>>),
    self_training: key(
      z.enum(selfTrainings),
      'how records without a label are learned from: in a stage before, or labelled by a teacher in each step',
      'future',
    ),
    ...(keysOf(teacherOptions) as KeysOf<{ unlabelled_weight: number }>),
    soup: key(
      z.enum(soups),
      'the weights of several trainings from the same parameters are averaged: all, or those that do no harm on validation',
      'greedy',
    ),
    ...(keysOf(soupOptions) as KeysOf<{ ingredients: number }>),
    threads: training.shape.threads,
    device: training.shape.device,
    from_scratch: key(z.boolean(), 'train the untrained encoder alone', true),
  });

  const probe = z.strictObject({
    ...labels,
    ...repeated,
    kind: key(memberOf(protocols), 'one protocol instead of all', 'linear'),
    domain: key(
      z.string().min(1),
      'column that says which of several domains a record is from, for a protocol that asks for them',
      'hospital',
    ),
    features: key(
      z.boolean(),
      "the records' own features beside the embeddings: values, descriptors of molecules, counts of words",
      true,
    ),
    seeds: key(count(), 'untrained encoders, and draws of shots, with seeds 0, 1, …', 3),
    threads: training.shape.threads,
    device: training.shape.device,
  });

  const fit = z.strictObject({
    ...labels,
    folds: key(
      z.int().min(1).max(20),
      'parts of the training and validation records, each held once to choose by; 1: the validation part alone',
      5,
    ),
    columns: key(names(), 'only these columns are learned from', ['smiles']),
    ignore: key(names(), 'these columns are never learned from', ['id']),
    pretrain: key(z.boolean(), 'pretrain an encoder on all records but those of the test first', true),
    trained_encoder: key(z.boolean(), 'train the encoder on the labels too, beside using it frozen', true),
  });

  const sweep = z.strictObject({
    method: key(
      z.enum(sweepMethods),
      'how settings are tried: all combinations, drawn by chance, or drawn and the worse ones left early',
      'halving',
    ),
    trials: key(count(), 'settings that are drawn (random and halving)', 20),
    seed: key(z.int().min(0), 'the drawn settings follow from it (random and halving)', 0),
    reduction: key(
      z.int().min(2),
      'one of so many trials goes on each time, to so many times its steps (halving)',
      3,
    ),
    judge: key(
      z.enum(judges),
      'what a trial is judged by: its own loss, a linear probe of the frozen encoder, or fine-tuning, each on validation records',
      'probe',
    ),
    labels: key(
      z.string().min(1),
      'file with the labels of the judge, where it is not that of data.path',
      'labelled.csv',
    ),
  });

  /** Steps and epochs say the same thing twice. */
  const oneDuration: [
    (section: { steps?: number; epochs?: number }) => boolean,
    { path: string[]; error: string },
  ] = [
    ({ steps, epochs }) => steps === undefined || epochs === undefined,
    { path: ['epochs'], error: 'steps and epochs exclude each other; keep one' },
  ];

  const user = z
    .strictObject({
      plugins: z.array(z.string().min(1)),
      data: data.partial(),
      tokenizer: tokenizer.partial(),
      encoder: encoder.partial(),
      objective: objective.partial(),
      training: training.partial().refine(...oneDuration),
      finetune: finetune.partial().refine(...oneDuration),
      probe: probe.partial(),
      fit: fit.partial(),
      sweep: sweep.partial(),
    })
    .partial();

  const run = z.strictObject({
    data: data
      .partial({
        columns: true,
        ignore: true,
        delimiter: true,
        quote: true,
        header: true,
        encoding: true,
        decimal: true,
        missing: true,
        canonical_smiles: true,
        on_unknown: true,
        split: true,
        split_column: true,
        validation_column: true,
        test_fraction: true,
      })
      .extend({ hash: key(z.string().min(1), 'hash of the file that was learned from', 'sha256:…') }),
    tokenizer: tokenizer.partial({ patch: true, vocabulary: true }),
    encoder: encoder
      .partial()
      .required({ kind: true, width: true, embed_width: true, layers: true, heads: true, widening: true })
      .superRefine(({ kind, ...given }, context) =>
        requireOptions(encoderNamed(kind).options ?? {}, given, context),
      ),
    objective: objective
      .partial()
      .extend({ kind: objective.shape.kind })
      .superRefine(({ kind, ...given }, context) =>
        requireOptions(objectiveNamed(kind).options, given, context),
      ),
    training: training.partial({
      epochs: true,
      from: true,
      device: true,
      recompute: true,
      kept_checkpoints: true,
      subnetworks: true,
      randomize_smiles: true,
      feature_targets: true,
      feature_weight: true,
      monitor_target: true,
      schedule: true,
      cooldown_steps: true,
      constant_rate: true,
      anneal_steps: true,
      attention_dropout: true,
      dropout: true,
      drop_path: true,
    }),
    finetune: finetune.partial().optional(),
    plugins: z.array(z.string()).optional(),
    versions: key(z.record(z.string(), z.string()), 'versions of what computed the run', { lacuna: '0.1.0' }),
  });

  return { user, run, reading: z.strictObject(reading).partial() };
}

let built: { families: string; schemas: ReturnType<typeof build> } | undefined;

/**
 * `user`: what a user may write in a configuration file or on the command line, any part of it. `run`: a run's config.json,
 * everything filled in. Built anew when a plug-in has added a member to a family.
 */
export function configSchemas(): ReturnType<typeof build> {
  const families = JSON.stringify(
    [formatExtensions, tokenizers, encoders, objectives, protocols].map((family) => Object.keys(family)),
  );
  if (built?.families !== families) built = { families, schemas: build() };
  return built.schemas;
}

type Schemas = ReturnType<typeof build>;

/** A configuration as far as it is given, checked. */
export type ParsedConfig = z.infer<Schemas['user']>;
/** A configuration as a user of the library writes it: an option of another encoder or objective is a type error. */
export type UserConfig = Omit<ParsedConfig, 'encoder' | 'objective'> & {
  readonly encoder?: EncoderChoice;
  readonly objective?: ObjectiveChoice;
};
export type Section = Exclude<keyof ParsedConfig, 'plugins'>;
export type FinetuneOptions = NonNullable<ParsedConfig['finetune']>;
export type ProbeOptions = NonNullable<ParsedConfig['probe']>;
export type FitOptions = NonNullable<ParsedConfig['fit']>;
/** How `embed`, `predict` and the like read their file. */
export type ReadingOptions = z.infer<Schemas['reading']>;
/**
 * A run's config.json. `patch` is there for images and series only, `vocabulary` for byte pairs, `from`, `recompute`, `subnetworks` and `kept_checkpoints` only where they are given, the
 * keys of the infinite schedule only with it. Encoder and objective have all of their own keys; runs of earlier versions
 * have those of others too, which nothing reads and which stay, since checkpoints know the configuration by its hash.
 */
export type Config = z.infer<Schemas['run']>;

/** Reports each own option of a member that is missing and has to be there. */
function requireOptions(
  options: Readonly<Record<string, Option>>,
  given: object,
  context: z.RefinementCtx,
): void {
  for (const [name, { type }] of Object.entries(options)) {
    if (name in given || type.safeParse(undefined).success) continue;
    context.addIssue({ code: 'invalid_type', expected: 'nonoptional', input: undefined, path: [name] });
  }
}
