/** Watching a pretraining run for collapse: what the encoder makes of validation records, at each validation. */
import { encoderNamed } from '../encoders/index.js';
import { input, type Value } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { hiddenCount } from '../objectives/masked-autoencoding.js';
import { type Batch, takeRecords } from '../records/batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { permutation, random } from '../tensor/random.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import type { ModelConfig } from './model.js';
import {
  alignment,
  cosines,
  effectiveRank,
  type MonitorLabels,
  nearestNeighborScore,
  standardDeviations,
  uniformity,
} from './representation-measures.js';

/** What metrics.jsonl tells of the embeddings, by the same names. */
export interface Monitors {
  readonly embedding_std_mean: number;
  readonly embedding_std_min: number;
  readonly effective_rank: number;
  readonly alignment: number;
  readonly uniformity: number;
  readonly nearest_neighbor_accuracy?: number;
  readonly nearest_neighbor_r2?: number;
  /** Of the averaged parameters from the trained ones, where there is a target network. */
  readonly target_distance?: number;
}

/** Records that are embedded, at most. */
const MONITORED_RECORDS = 512;

/** Records for each dimension of the embedding: with fewer their number bounds the effective rank, more cost time. */
const RECORDS_PER_DIMENSION = 4;

/** Records that are embedded under two views, at most: a mean needs fewer than a spectrum. */
const VIEWED_RECORDS = 128;

const firstRecords = (block: TokenBlock, count: number): TokenBlock =>
  takeRecords(
    block,
    Int32Array.from({ length: Math.min(block.count, count) }, (_, record) => record),
  );

/** The first validation records: those that are monitored for embeddings of a width, and of them those under two views. */
export function monitoredRecords(validation: TokenBlock, width: number) {
  const whole = firstRecords(validation, Math.min(MONITORED_RECORDS, RECORDS_PER_DIMENSION * width));
  return { whole, viewed: firstRecords(whole, VIEWED_RECORDS) };
}

/** Part of the tokens that a view hides, whatever the objective hides. */
const HIDDEN_PART = 0.2;

/** The encoder alone: float32[batch, width] of tokens of which those of the input `hidden`, bool[batch, tokens], are hidden. */
export function monitoringGraph({ spec, encoder }: ModelConfig, size: number, count: number): Value {
  const tokens = tokenInputs(spec, size, count);
  const hidden = input('hidden', 'bool', [size, count]);
  // A row from which nothing is hidden keeps all of its tokens visible.
  const hiding = { choose: () => hidden, visible: count };
  return encoderNamed(encoder.kind).encode(spec, tokens, encoder, { hiding }).pooled;
}

/**
 * bool[batch, tokens], true = hidden: nothing in view 0; in any other a fifth of each record's tokens, drawn by the seed,
 * the view and the file row.
 */
export function hiddenInView(spec: TokenSpec, batch: Batch, seed: number, view: number): HostTensor<'bool'> {
  const { size, tokens, rows, lengths, fileRows } = batch;
  const hidden = new Uint8Array(size * tokens);
  for (let row = 0; view > 0 && row < rows; row++) {
    const order = permutation(lengths[row], random(seed, 'monitored view', view, fileRows[row]));
    const count = hiddenCount(spec, lengths[row], HIDDEN_PART);
    for (const position of order.subarray(0, count)) hidden[row * tokens + position] = 1;
  }
  return hostTensor('bool', [size, tokens], hidden);
}

/**
 * The monitors of embeddings float32[n, width]: of records as they are, and of the first of them, fewer or as many, under
 * two views.
 */
export function monitorsOf(
  whole: Float32Array,
  views: readonly [Float32Array, Float32Array],
  width: number,
  labels?: MonitorLabels,
): Monitors {
  const deviations = standardDeviations(whole, width);
  const cosine = cosines(whole, width);
  return {
    embedding_std_mean: deviations.mean,
    embedding_std_min: deviations.minimum,
    effective_rank: effectiveRank(whole, width),
    alignment: alignment(...views, width),
    uniformity: uniformity(cosine),
    ...(labels && {
      [labels.kind === 'classes' ? 'nearest_neighbor_accuracy' : 'nearest_neighbor_r2']: nearestNeighborScore(
        cosine,
        labels,
      ),
    }),
  };
}

/** Monitors by which collapse is told. */
type CollapseMonitors = Pick<Monitors, 'effective_rank' | 'embedding_std_mean'>;

/** Those of the untrained encoder, from the log's line of step 0; undefined where there is none. */
export function untrainedMonitors(
  log: readonly { readonly step: number; readonly [name: string]: unknown }[],
): CollapseMonitors | undefined {
  const { effective_rank, embedding_std_mean } = log.find(({ step }) => step === 0) ?? { step: 0 };
  return typeof effective_rank === 'number' && typeof embedding_std_mean === 'number'
    ? { effective_rank, embedding_std_mean }
    : undefined;
}

/** What a sign of collapse is judged by, and what to change. */
interface MonitoredRun {
  readonly encoder: { readonly width: number };
  readonly training: { readonly learning_rate: number; readonly warmup_steps: number };
}

/** Below this effective rank the embeddings lie nearly on one line. */
const LOW_RANK = 2;

/** Part of the deviation of embeddings that spread evenly. */
const LOW_DEVIATION = 0.1;

/** Below this part of an untrained encoder's value an encoder has collapsed; healthy ones lose half and regain it. */
const LEFT = 0.25;

const isLost = (now: number, untrained: number, least: number) => now - least < LEFT * (untrained - least);

/**
 * The signs of collapse in words, by the monitor that shows them: an effective rank below 2, a mean deviation below a tenth of
 * 1/√width. Healthy encoders of simple records come close to both, trained or not, so the monitor must also have lost
 * three quarters of what it was untrained, where that is known.
 */
export function collapseSigns(
  { effective_rank: rank, embedding_std_mean: deviation }: CollapseMonitors,
  { encoder: { width }, training }: MonitoredRun,
  untrained?: CollapseMonitors,
): ReadonlyMap<keyof CollapseMonitors, string> {
  const signs = new Map<keyof CollapseMonitors, string>();
  const even = 1 / Math.sqrt(width);
  const before = { rank: '', deviation: '' };
  if (untrained) {
    before.rank = `, ${untrained.effective_rank.toFixed(1)} untrained`;
    before.deviation = `, ${untrained.embedding_std_mean.toPrecision(2)} untrained`;
  }
  const advice = `try a lower --learning-rate than ${training.learning_rate}, more --warmup-steps than ${training.warmup_steps}, or another --objective`;
  if (rank < LOW_RANK && (!untrained || isLost(rank, untrained.effective_rank, 1))) {
    signs.set(
      'effective_rank',
      `the effective rank of the embeddings is ${rank.toFixed(2)} (of at most ${width}${before.rank}): they lie nearly on one line, so the encoder is collapsing and hardly tells records apart; ${advice}`,
    );
  }
  if (
    deviation < LOW_DEVIATION * even &&
    (!untrained || isLost(deviation, untrained.embedding_std_mean, 0))
  ) {
    signs.set(
      'embedding_std_mean',
      `the embeddings vary by ${deviation.toPrecision(2)} per dimension (${even.toPrecision(2)} if spread evenly${before.deviation}): records get nearly the same embedding, so the encoder is collapsing; ${advice}`,
    );
  }
  return signs;
}
