/** What a run does when it is not told: sizes follow from the tokens, durations from the number of records. */
import { InputError } from '../errors.js';
import type { TokenSpec } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { version } from '../version.js';
import type { Config, UserConfig } from './config-schema.js';
import type { ModelConfig } from './model.js';

export interface ResolveInputs {
  readonly path: string;
  readonly hash: string;
  readonly tokenizer: Tokenizer;
  readonly splitColumn?: string;
  /** Training records, at least as far as they were counted. */
  readonly records: number;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Largest power of two that is at most `value`. */
const powerOfTwo = (value: number) => 2 ** Math.floor(Math.log2(Math.max(1, value)));

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));

/** Tokens per batch that keep a step well under a second on two cores. */
const TOKENS_PER_BATCH = 8192;

const maskingRatio: Record<TokenSpec['kind'], number> = { discrete: 0.2, fields: 0.2, continuous: 0.5 };

/** Throws InputError for heads that do not divide the widths they split. */
function checkHeads({ encoder, objective }: Pick<Config, 'encoder' | 'objective'>): void {
  const { width, embed_width, heads, cross_heads } = encoder;
  const splits: [key: string, heads: number, widths: Record<string, number>][] = [
    ['encoder.heads', heads, { 'encoder.width': width }],
    ['encoder.cross_heads', cross_heads, { 'encoder.width': width }],
    [
      'objective.decoder_heads',
      objective.decoder_heads,
      { 'encoder.width': width, 'encoder.embed_width': embed_width },
    ],
  ];
  for (const [key, count, widths] of splits) {
    const divides = (n: number) => Object.values(widths).every((size) => size % n === 0);
    if (divides(count)) continue;
    let fitting = count;
    while (!divides(fitting)) fitting--;
    const named = Object.entries(widths).map(([name, size]) => `${name} = ${size}`);
    throw new InputError(
      `${key}: expected a divisor of ${named.join(' and ')}, got ${count}; try ${fitting}`,
    );
  }
}

/**
 * The whole configuration of a run: the user's keys, and for the rest what suits the data. Throws InputError for keys
 * that do not go together.
 */
export function resolveConfig(user: UserConfig, inputs: ResolveInputs): Config {
  const { spec } = inputs.tokenizer;
  const { data = {}, encoder = {}, objective = {}, training = {} } = user;
  const width = encoder.width ?? (spec.maxTokens > 256 ? 256 : 128);
  const embedWidth = encoder.embed_width ?? width;
  const heads = encoder.heads ?? (width % 8 === 0 ? 8 : 1);
  const kind = encoder.kind ?? 'perceiver';
  const ratio = objective.masking_ratio ?? maskingRatio[spec.kind];
  const batchSize =
    training.batch_size ??
    Math.min(
      powerOfTwo(clamp(TOKENS_PER_BATCH / spec.maxTokens, 16, 128)),
      powerOfTwo(clamp(inputs.records / 4, 1, 128)),
    );
  const stepsPerEpoch = Math.max(1, Math.floor(inputs.records / batchSize));
  const steps =
    training.steps ??
    (training.epochs !== undefined
      ? Math.max(1, Math.round(training.epochs * stepsPerEpoch))
      : clamp(100 * stepsPerEpoch, 500, 10_000));
  const config: Config = {
    data: {
      path: inputs.path,
      format: data.format ?? 'csv',
      on_bad_record: data.on_bad_record ?? 'auto',
      columns: [...inputs.tokenizer.columns],
      ...(data.ignore && { ignore: data.ignore }),
      ...(inputs.splitColumn !== undefined && { split_column: inputs.splitColumn }),
      valid_fraction: data.valid_fraction ?? 0.05,
      hash: inputs.hash,
    },
    tokenizer: {
      kind: inputs.tokenizer.kind,
      max_tokens: user.tokenizer?.max_tokens ?? spec.maxTokens,
      ...(user.tokenizer?.patch !== undefined && { patch: user.tokenizer.patch }),
    },
    encoder: {
      kind,
      width,
      embed_width: embedWidth,
      layers: encoder.layers ?? 4,
      heads,
      widening: encoder.widening ?? 4,
      latents: encoder.latents ?? clamp(powerOfTwo(spec.maxTokens / 2), 16, 128),
      cross_heads: encoder.cross_heads ?? 1,
    },
    objective: {
      kind: objective.kind ?? 'sma',
      masking_ratio: ratio,
      per_query: objective.per_query ?? Math.max(1, Math.round((ratio * spec.maxTokens) / 4)),
      ...(objective.select_initial_ratio !== undefined && {
        select_initial_ratio: objective.select_initial_ratio,
      }),
      schedule_fraction: objective.schedule_fraction ?? 0.25,
      decoder_heads: objective.decoder_heads ?? (embedWidth % heads === 0 ? heads : 1),
      tied_output: objective.tied_output ?? true,
    },
    training: {
      steps,
      ...(training.epochs !== undefined && { epochs: training.epochs }),
      batch_size: batchSize,
      learning_rate: training.learning_rate ?? 1e-3,
      warmup_steps: training.warmup_steps ?? Math.min(500, Math.ceil(steps / 20)),
      weight_decay: training.weight_decay ?? 0.01,
      clip_norm: training.clip_norm ?? 1,
      seed: training.seed ?? 0,
      threads: training.threads ?? inputs.threads,
      ...(training.recompute && { recompute: true }),
      ...(training.monitor_target !== undefined && { monitor_target: training.monitor_target }),
      log_steps: training.log_steps ?? 1,
      valid_steps: training.valid_steps ?? clamp(Math.round(steps / 100), 10, 100),
      checkpoint_steps: training.checkpoint_steps ?? clamp(Math.round(steps / 10), 1, 500),
    },
    versions: { lacuna: version, ...inputs.versions },
  };
  checkHeads(config);
  return config;
}

/** The model that a configuration describes, on tokens of one specification. */
export function modelOf(config: Pick<Config, 'encoder' | 'objective'>, spec: TokenSpec): ModelConfig {
  const { encoder, objective } = config;
  return {
    spec,
    encoder: {
      kind: encoder.kind,
      latents: encoder.latents,
      width: encoder.width,
      embedWidth: encoder.embed_width,
      layers: encoder.layers,
      heads: encoder.heads,
      crossHeads: encoder.cross_heads,
      widening: encoder.widening,
    },
    objective: {
      kind: objective.kind,
      maskingRatio: objective.masking_ratio,
      perQuery: objective.per_query,
      selectInitialRatio: objective.select_initial_ratio ?? null,
      scheduleFraction: objective.schedule_fraction,
      decoderHeads: objective.decoder_heads,
      tiedOutput: objective.tied_output,
    },
  };
}
