/**
 * Every configuration key: its type, what it means and an example. Command-line options, their help, the checks and the
 * error messages are all made from this one table, so a new key is one line here.
 */

import { z } from 'zod';
import { encoders } from '../encoders/index.js';
import { mergeOptions, type ObjectiveOptions, objectives } from '../objectives/index.js';
import { protocols } from '../probes/index.js';
import { formatNames } from '../records/formats.js';
import { tasks } from '../scoring/metrics.js';
import { tokenizers } from '../tokenizers/index.js';

const splits = ['random', 'scaffold'] as const;

/** One of a family's members, by name: a new member is known here by itself. */
function memberOf<K extends string>(family: Readonly<Record<K, unknown>>) {
  return z.enum(Object.keys(family) as K[]);
}

/** A key's type with its meaning and an example that an error message can show. */
function key<T extends z.ZodType>(type: T, description: string, example: unknown): T {
  return type.meta({ description, examples: [example] });
}

const count = () => z.int().min(1);
const names = () => z.array(z.string().min(1)).min(1);
const positive = () => z.number().gt(0);
const fraction = () => z.number().min(0).lt(1);

const reading = {
  format: key(z.enum(formatNames), 'format of the file, when its name does not tell', 'csv'),
  on_bad_record: key(
    z.enum(['auto', 'fail', 'skip']),
    'a record that cannot be read stops the run or is skipped and counted; auto stops only among the first 100',
    'skip',
  ),
};

const splitting = {
  split_column: key(z.string().min(1), 'column that says train, valid or test', 'split'),
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
});

const encoder = z.strictObject({
  kind: key(memberOf(encoders), 'architecture', 'perceiver'),
  latents: key(count(), 'learned latent vectors of a perceiver', 64),
  width: key(count(), 'channels of the states that the encoder gives', 256),
  embed_width: key(count(), 'width of the embedded input tokens', 128),
  layers: key(count(), 'layers of the stack, or residual blocks', 4),
  heads: key(count(), 'heads of self-attention', 8),
  cross_heads: key(count(), "heads of the encoder's cross-attention", 1),
  widening: key(count(), 'hidden width of a feed-forward layer as a multiple of its width', 4),
  registers: key(z.int().min(0), 'learned tokens that a transformer attends to and then discards', 1),
});

/** The options of every objective: each declares its own. */
const objectiveKeys = Object.fromEntries(
  Object.entries(mergeOptions(objectives)).map(([name, { type, description, example }]) => [
    name,
    key(type, description, example),
  ]),
) as { readonly [K in keyof ObjectiveOptions]-?: z.ZodType<ObjectiveOptions[K]> };

const objective = z.strictObject({
  kind: key(memberOf(objectives), 'what is learned without labels', 'sma'),
  ...objectiveKeys,
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
  seed: key(z.int().min(0), 'all random numbers follow from it', 0),
  threads: key(count(), 'threads of the engine', 2),
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
  monitor_target: key(
    z.string().min(1),
    'column of labels that validations tell a nearest-neighbour score of; it never becomes a token',
    'label',
  ),
  log_steps: key(count(), 'steps between two lines of metrics.jsonl', 10),
  valid_steps: key(count(), 'steps between two validations', 200),
  checkpoint_steps: key(count(), 'steps between two checkpoints', 500),
});

const labels = {
  ...reading,
  task: key(z.enum(tasks), 'what the targets are, when their values do not tell', 'regression'),
  target: key(names(), 'the columns to predict', ['label']),
  metric: key(
    z.string().min(1),
    'how predictions are scored: rmse, mae, pearson, spearman, roc-auc or accuracy',
    'roc-auc',
  ),
  split: key(
    z.enum(splits),
    'how parts are drawn, whatever a column says: record by record, or molecules of one scaffold together',
    'scaffold',
  ),
  ...splitting,
  strict: key(
    z.boolean(),
    'refuse test records that pretraining learned from, instead of counting them',
    true,
  ),
};

const finetune = z.strictObject({
  ...labels,
  mask_column: key(
    z.string().min(1),
    'column of text with 0 or 1 for each token: labels of tokens with 0 are left out (task per-token)',
    'mask',
  ),
  ...optimization,
  seeds: key(count(), 'runs, with seeds 0, 1, …', 3),
  weight_decay: training.shape.weight_decay,
  clip_norm: training.shape.clip_norm,
  layer_decay: key(
    z.number().gt(0).max(1),
    'learning rate of each layer as a part of that of the layer above it',
    0.75,
  ),
  threads: training.shape.threads,
  from_scratch: key(z.boolean(), 'train the untrained encoder alone', true),
});

const probe = z.strictObject({
  ...labels,
  kind: key(memberOf(protocols), 'one protocol instead of all', 'linear'),
  threads: training.shape.threads,
});

/** Steps and epochs say the same thing twice. */
const oneDuration: [
  (section: { steps?: number; epochs?: number }) => boolean,
  { path: string[]; error: string },
] = [
  ({ steps, epochs }) => steps === undefined || epochs === undefined,
  { path: ['epochs'], error: 'steps and epochs exclude each other; keep one' },
];

/** What a user may write in a configuration file or on the command line: any part of it. */
export const userConfigSchema = z
  .strictObject({
    data: data.partial(),
    tokenizer: tokenizer.partial(),
    encoder: encoder.partial(),
    objective: objective.partial(),
    training: training.partial().refine(...oneDuration),
    finetune: finetune.partial().refine(...oneDuration),
    probe: probe.partial(),
  })
  .partial();

/** What may be chosen of a run: see docs/configuration.md. */
export type UserConfig = z.infer<typeof userConfigSchema>;
export type Section = keyof UserConfig;
export type FinetuneOptions = NonNullable<UserConfig['finetune']>;
export type ProbeOptions = NonNullable<UserConfig['probe']>;
/** How `embed`, `predict` and the like read their file. */
export type ReadingOptions = Pick<NonNullable<UserConfig['data']>, keyof typeof reading>;

/**
 * A run's config.json: everything filled in. An encoder reads the keys that concern it. `patch` is there for images and
 * series only, `from` and `recompute` only where they are given, `registers` where they are or the objective wants some, the keys of the infinite schedule only with it. The objective has all of its own keys; runs of earlier versions have those
 * of other objectives too, which nothing reads and which stay, since checkpoints know the configuration by its hash.
 */
export const configSchema = z.strictObject({
  data: data
    .partial({ columns: true, ignore: true, split_column: true, test_fraction: true })
    .extend({ hash: key(z.string().min(1), 'hash of the file that was learned from', 'sha256:…') }),
  tokenizer: tokenizer.partial({ patch: true }),
  encoder: encoder.partial({ registers: true }),
  objective: objective.partial().extend({ kind: objective.shape.kind }).superRefine(requireOwnOptions),
  training: training.partial({
    epochs: true,
    from: true,
    recompute: true,
    monitor_target: true,
    schedule: true,
    cooldown_steps: true,
    constant_rate: true,
    anneal_steps: true,
  }),
  finetune: finetune.partial().optional(),
  versions: key(z.record(z.string(), z.string()), 'versions of what computed the run', { lacuna: '0.1.0' }),
});

function requireOwnOptions(
  { kind, ...given }: { kind: keyof typeof objectives } & ObjectiveOptions,
  context: z.RefinementCtx,
): void {
  for (const [name, { type }] of Object.entries(objectives[kind].options)) {
    if (name in given || type.safeParse(undefined).success) continue;
    context.addIssue({ code: 'invalid_type', expected: 'nonoptional', input: undefined, path: [name] });
  }
}

export type Config = z.infer<typeof configSchema>;
