/** What a run does when it is not told: sizes follow from the tokens, durations from the number of records. */
import { encoderSizes } from '../encoders/encoder.js';
import { type EncoderSpec, encoderNamed } from '../encoders/index.js';
import { InputError } from '../errors.js';
import type { Head } from '../finetuning/labelled-graph.js';
import type { TrainingSettings } from '../finetuning/labelled-training.js';
import { type RegularizerConfig, regularizerNamed } from '../finetuning/regularizers/index.js';
import { type SelfTraining, TEACHER_MOMENTUM } from '../finetuning/self-training.js';
import {
  type TuningConfig,
  type TuningOptions,
  tuningNamed,
  tuningOptions,
} from '../finetuning/tunings/index.js';
import type { SoupKind } from '../finetuning/weight-soup.js';
import { checkHeads } from '../layers/attention.js';
import { type DropoutRates, dropoutRates, dropsAny } from '../layers/dropout.js';
import type { ModelConfig } from '../learning/model.js';
import { checkOwnOptions, type ObjectiveConfig, objectiveNamed } from '../objectives/index.js';
import type { RunFacts } from '../objectives/objective.js';
import { checkDeclared, declaredOptions } from '../options.js';
import type { HeldOut } from '../records/split.js';
import type { TokenSpec } from '../records/token-block.js';
import { type Tokenizer, type TokenizerFamily, tokenizers } from '../tokenizers/index.js';
import { version } from '../version.js';
import type { Config, FinetuneOptions, ParsedConfig } from './schema.js';

export interface ResolveInputs {
  readonly path: string;
  readonly format: string;
  readonly hash: string;
  readonly tokenizer: Tokenizer;
  readonly splitColumn?: string;
  readonly validationColumn?: string;
  readonly heldOut: HeldOut;
  /** Training records, at least as far as they were counted. */
  readonly records: number;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Largest power of two that is at most `value`. */
const powerOfTwo = (value: number) => 2 ** Math.floor(Math.log2(Math.max(1, value)));

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));

/** Parts of the records that are held out where nothing else is said. */
export const HELD_OUT = {
  /** By a pretraining, to validate on. */
  pretrainingValid: 0.05,
  /** By a pretraining whose file holds what looks like labels, for a later test. */
  laterTest: 0.1,
  /** By an evaluation. */
  valid: 0.1,
  test: 0.1,
} as const;

/** Optimisation of every training on labels. */
export const LABELLED_TRAINING = { weightDecay: 0.01, clipNorm: 1, layerDecay: 1 } as const;

export interface FinetuningSettings extends TrainingSettings {
  readonly steps: number;
  readonly learningRate: number;
  readonly seeds: number;
  readonly dropout?: DropoutRates;
  readonly head: Head;
  readonly validations: number;
  readonly patience?: number;
  readonly weightAverage?: number;
  readonly tuning: TuningConfig;
  readonly regularizer?: RegularizerConfig;
  readonly selfTraining?: SelfTraining;
  readonly soup?: { readonly kind: SoupKind; readonly ingredients: number };
}

/** What of the settings the network is built by. */
export const networkSettings = ({ dropout, head, tuning, regularizer }: FinetuningSettings) => ({
  dropout,
  head,
  tuning,
  regularizer,
});

/**
 * Settings of a fine-tuning on so many training records: the user's, and for the rest what suits them. Throws InputError for
 * options that do not go together.
 */
export function resolveFinetuning(config: FinetuneOptions, records: number): FinetuningSettings {
  const tuning = tuningOf(config);
  const regularizer = regularizerOf(config);
  const usual = clamp(powerOfTwo(records / 4), 1, 32);
  // Where records are compared with each other, a batch of few has few pairs.
  const comparing = regularizer && regularizerNamed(regularizer.kind).comparesRecords;
  const batchSize = config.batch_size ?? (comparing ? clamp(powerOfTwo(records), usual, 64) : usual);
  const stepsPerEpoch = Math.max(1, Math.floor(records / batchSize));
  const dropout = dropoutRates(config);
  const { self_training: selfTraining, soup } = config;
  const taught = selfTraining === 'mean-teacher' || selfTraining === 'future';
  const weightAverage = config.weight_average ?? (taught ? TEACHER_MOMENTUM : undefined);
  const asked = config.epochs && Math.max(1, Math.round(config.epochs * stepsPerEpoch));
  const steps = config.steps ?? asked ?? clamp(30 * stepsPerEpoch, 100, 2000);
  return {
    steps,
    validations: config.validations ?? clamp(Math.round(steps / 100), 10, 50),
    ...(config.patience !== undefined && { patience: config.patience }),
    ...(weightAverage !== undefined && { weightAverage }),
    batchSize,
    learningRate: config.learning_rate ?? tuningNamed(tuning.kind).learningRate,
    weightDecay: config.weight_decay ?? LABELLED_TRAINING.weightDecay,
    clipNorm: config.clip_norm ?? LABELLED_TRAINING.clipNorm,
    layerDecay: config.layer_decay ?? LABELLED_TRAINING.layerDecay,
    seeds: config.seeds ?? 3,
    head: config.head ?? 'mean',
    ...(config.target_transform && { targetTransform: config.target_transform }),
    ...(dropsAny(dropout) && { dropout }),
    tuning,
    ...(regularizer && { regularizer }),
    ...(selfTraining && { selfTraining }),
    ...(taught && {
      teacher: { kind: selfTraining, unlabelled_weight: config.unlabelled_weight ?? UNLABELLED_WEIGHT },
    }),
    ...(soup && { soup: { kind: soup, ingredients: config.ingredients ?? INGREDIENTS } }),
  };
}

/** What a record counts for that a teacher labelled. */
const UNLABELLED_WEIGHT = 0.5;

/** Trainings of a soup. */
const INGREDIENTS = 4;

/** What of the encoder is trained. Throws InputError for an option of another tuning. */
function tuningOf(config: FinetuneOptions): TuningConfig {
  const { tuning: kind = 'full' } = config;
  const names = Object.keys(tuningOptions()) as (keyof TuningOptions)[];
  const given: TuningOptions = Object.fromEntries(names.map((name) => [name, config[name]]));
  return chosen({ kind, given, section: 'tuning', member: tuningNamed(kind) });
}

/** What is minimised beside or instead of the loss of the labels. Throws InputError for an option of another regularizer. */
function regularizerOf(config: FinetuneOptions): RegularizerConfig | undefined {
  const { regularizer: kind, regularizer_weight, mixup_alpha, look_neighbors } = config;
  const given = { regularizer_weight, mixup_alpha, look_neighbors };
  const none = { options: {}, defaults: {} };
  const member = kind ? regularizerNamed(kind) : none;
  const options = chosen({ kind: kind ?? 'none', given, section: 'regularizer', member });
  return kind && { ...options, kind };
}

/** A member with its own options. Throws InputError for one that another member has. */
function chosen<K extends string, O extends object>({
  kind,
  given,
  section,
  member: { options, defaults },
}: {
  kind: K;
  given: O;
  section: string;
  member: { readonly options: object; readonly defaults: O };
}): { kind: K } & O {
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const foreign = Object.keys(own).find((key) => !(key in options));
  if (foreign !== undefined) {
    throw new InputError(
      `finetune.${foreign}: has no meaning with ${section} ${kind}; leave it out, or choose another --${section}`,
    );
  }
  return { kind, ...defaults, ...own } as { kind: K } & O;
}

/** Tokens per batch that keep a step well under a second on two cores. */
const TOKENS_PER_BATCH = 8192;

/** How long a pretraining on so many records is: as asked for, or what suits them. */
export function trainingLength(
  training: NonNullable<ParsedConfig['training']>,
  records: number,
  { maxTokens }: Pick<TokenSpec, 'maxTokens'>,
): { batchSize: number; steps: number } {
  const batchSize =
    training.batch_size ??
    Math.min(
      powerOfTwo(clamp(TOKENS_PER_BATCH / maxTokens, 16, 128)),
      powerOfTwo(clamp(records / 4, 1, 128)),
    );
  const stepsPerEpoch = Math.max(1, Math.floor(records / batchSize));
  const steps =
    training.steps ??
    (training.epochs !== undefined
      ? Math.max(1, Math.round(training.epochs * stepsPerEpoch))
      : clamp(100 * stepsPerEpoch, 500, 10_000));
  return { batchSize, steps };
}

/**
 * The whole configuration of a run: the user's keys, and for the rest what suits the data. Throws InputError for keys
 * that do not go together.
 */
export function resolveConfig(user: ParsedConfig, inputs: ResolveInputs): Config {
  const { spec } = inputs.tokenizer;
  const { data = {}, encoder = {}, objective = {}, training = {} } = user;
  const ownEncoder = resolveEncoder(encoder, objective, spec, training.from !== undefined);
  const { batchSize, steps } = trainingLength(training, inputs.records, spec);
  return {
    data: {
      path: inputs.path,
      format: data.format ?? (inputs.format as Config['data']['format']),
      on_bad_record: data.on_bad_record ?? 'auto',
      ...readingWishes(data, [
        'delimiter',
        'quote',
        'header',
        'encoding',
        'decimal',
        'missing',
        'canonical_smiles',
      ]),
      ...(data.on_unknown && { on_unknown: data.on_unknown }),
      columns: [...inputs.tokenizer.columns],
      ...(data.ignore && { ignore: data.ignore }),
      ...(data.split && { split: data.split }),
      ...(inputs.splitColumn !== undefined && { split_column: inputs.splitColumn }),
      ...(inputs.validationColumn !== undefined && { validation_column: inputs.validationColumn }),
      valid_fraction: inputs.heldOut.valid,
      test_fraction: inputs.heldOut.test,
      hash: inputs.hash,
    },
    tokenizer: {
      kind: inputs.tokenizer.kind,
      max_tokens: user.tokenizer?.max_tokens ?? spec.maxTokens,
      ...(user.tokenizer?.patch !== undefined && { patch: user.tokenizer.patch }),
      ...declaredOptions(
        { options: (tokenizers[inputs.tokenizer.kind] as TokenizerFamily).options ?? {} },
        user.tokenizer ?? {},
      ),
    },
    encoder: ownEncoder,
    objective: resolveObjective(objective, {
      spec,
      encoder: ownEncoder,
      from: training.from !== undefined,
    }),
    training: {
      steps,
      ...(training.epochs !== undefined && { epochs: training.epochs }),
      batch_size: batchSize,
      learning_rate: training.learning_rate ?? 1e-3,
      warmup_steps: training.warmup_steps ?? Math.min(500, Math.ceil(steps / 20)),
      ...resolveSchedule(training, steps),
      weight_decay: training.weight_decay ?? 0.01,
      clip_norm: training.clip_norm ?? 1,
      ...dropoutRates(training),
      seed: training.seed ?? 0,
      threads: training.threads ?? inputs.threads,
      ...(training.device !== undefined && training.device !== 'cpu' && { device: training.device }),
      ...(training.from !== undefined && { from: training.from }),
      ...(training.recompute && { recompute: true }),
      ...(training.subnetworks !== undefined && { subnetworks: training.subnetworks }),
      ...(training.randomize_smiles && { randomize_smiles: true }),
      ...resolveFeatures(training),
      ...(training.monitor_target !== undefined && { monitor_target: training.monitor_target }),
      log_steps: training.log_steps ?? 1,
      valid_steps: training.valid_steps ?? clamp(Math.round(steps / 100), 10, 100),
      checkpoint_steps: training.checkpoint_steps ?? clamp(Math.round(steps / 10), 1, 500),
      ...(training.kept_checkpoints !== undefined && { kept_checkpoints: training.kept_checkpoints }),
    },
    ...(user.plugins && { plugins: user.plugins }),
    versions: { lacuna: version, ...inputs.versions },
  };
}

/** What is said of how a file is written, as far as it is said. */
const readingWishes = <K extends string>(data: { readonly [name in K]?: unknown }, keys: readonly K[]) =>
  Object.fromEntries(keys.flatMap((key) => (data[key] === undefined ? [] : [[key, data[key]]])));

/** Throws InputError for a weight of nothing. */
function resolveFeatures({
  feature_targets,
  feature_weight,
}: NonNullable<ParsedConfig['training']>): Pick<Config['training'], 'feature_targets' | 'feature_weight'> {
  if (feature_targets !== undefined) return { feature_targets, feature_weight: feature_weight ?? 1 };
  if (feature_weight === undefined) return {};
  throw new InputError(
    'training.feature_weight: weighs the loss of features, and none are predicted; name some with training.feature_targets',
  );
}

const INFINITE_KEYS = ['cooldown_steps', 'constant_rate', 'anneal_steps'] as const;

/** The schedule and its keys. Throws InputError for keys that the schedule has not. */
function resolveSchedule(
  training: NonNullable<ParsedConfig['training']>,
  steps: number,
): Pick<Config['training'], 'schedule' | (typeof INFINITE_KEYS)[number]> {
  if (training.schedule === 'infinite') {
    if (training.anneal_steps !== undefined && training.anneal_steps > steps) {
      throw new InputError(
        `training.anneal_steps: expected at most the ${steps} steps of the run, got ${training.anneal_steps}; try ${Math.round(steps / 10)}`,
      );
    }
    return {
      schedule: 'infinite',
      cooldown_steps: training.cooldown_steps ?? Math.round(steps / 4),
      constant_rate: training.constant_rate ?? 0.25,
      anneal_steps: training.anneal_steps ?? Math.round(steps / 10),
    };
  }
  const foreign = INFINITE_KEYS.find((key) => training[key] !== undefined);
  if (foreign) {
    throw new InputError(
      `training.${foreign}: the schedule cosine has no such key; leave it out, or set training.schedule to infinite`,
    );
  }
  return { schedule: 'cosine' };
}

/** Records of at most so many tokens are short: attention between all of them costs little, and validation prefers it. */
const SHORT = 128;

/** A transformer where records are short and nothing is asked for that only a perceiver has. */
function usualKind({ maxTokens }: TokenSpec, asked: readonly string[]): 'transformer' | 'perceiver' {
  const known = { ...encoderSizes, ...encoderNamed('transformer').options };
  return maxTokens <= SHORT && asked.every((name) => name in known) ? 'transformer' : 'perceiver';
}

/** A run that starts from another has that one's encoder, whatever the objective wants. */
function resolveEncoder(
  { kind: asked, ...chosen }: NonNullable<ParsedConfig['encoder']>,
  objective: NonNullable<ParsedConfig['objective']>,
  spec: TokenSpec,
  from: boolean,
): EncoderSpec {
  const wanted = from ? undefined : objectiveNamed(objective.kind ?? 'sma').encoderDefaults?.(spec);
  const kind = asked ?? wanted?.kind ?? usualKind(spec, Object.keys(chosen));
  const encoder = encoderNamed(kind);
  const { kind: _, ...wantedOptions } = wanted?.kind === kind ? wanted : { kind };
  const width = chosen.width ?? (spec.maxTokens > 256 ? 256 : 128);
  const sizes = {
    width,
    embed_width: chosen.embed_width ?? width,
    layers: chosen.layers ?? 4,
    heads: chosen.heads ?? (width % 8 === 0 ? 8 : 1),
    widening: chosen.widening ?? 4,
  };
  checkHeads('encoder.heads', sizes.heads, { 'encoder.width': width });
  const own = declaredOptions({ options: encoder.options ?? {} }, { ...wantedOptions, ...chosen });
  const config = { kind, ...sizes, ...encoder.defaults?.(spec, sizes, own) };
  // A run that starts from another has all keys of that one's configuration, whose version may have had more.
  if (!from) {
    const options = { ...encoderSizes, ...encoder.options };
    checkDeclared({ options }, chosen, { section: 'encoder', kind });
  }
  encoder.check?.(config);
  return config;
}

function resolveObjective(
  { kind = 'sma', ...chosen }: NonNullable<ParsedConfig['objective']>,
  run: RunFacts,
): ObjectiveConfig {
  checkOwnOptions(kind, chosen);
  const objective = objectiveNamed(kind);
  const options = objective.defaults(run.spec, run.encoder, chosen);
  objective.check?.(options, run);
  return { kind, ...options };
}

/** The model that a configuration describes, on tokens of one specification. */
export const modelOf = (
  {
    encoder,
    objective,
    training = {},
  }: Pick<Config, 'encoder' | 'objective'> & { readonly training?: DropoutRates },
  spec: TokenSpec,
): ModelConfig => {
  const dropout = dropoutRates(training);
  return { spec, encoder, objective, ...(dropsAny(dropout) && { dropout }) };
};
