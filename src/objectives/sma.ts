import { z } from 'zod';
import type { AttentionMap, Encoder } from '../encoders/encoder.js';
import { type EncoderKind, encoderNamed, encoders } from '../encoders/index.js';
import { InputError } from '../errors.js';
import { add, less, matmul, reshape, scalar, staticSize, sum, type Value, where } from '../graph/index.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { permutation, type Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  checkMasking,
  hiddenCount,
  leadingOnes,
  type MaskingOptions,
  maskedAutoencoding,
  maskingDefaults,
  maskingOptions,
  mostHidden,
  mostVisible,
  roundedShare,
  roundHalfToEven,
  selectedMask,
  selectLargest,
} from './masked-autoencoding.js';
import type { BatchShape, Objective } from './objective.js';
import { uniformScores } from './random-masking.js';

const HEAD_CHOICES = ['mean', 'random-mix'] as const;

const NO_MAP: AttentionMap = { heads: 1, queries: 0, tokensAsk: false };

/** The options of SMA. */
export interface SmaOptions extends MaskingOptions {
  /** Hidden tokens per row of the attention map that is drawn (the authors' `num_per_query`). */
  readonly per_query: number;
  /** How the heads of the attention map are joined: their mean, by default, or one of them drawn for each row. */
  readonly attention_heads?: (typeof HEAD_CHOICES)[number];
  /** Whether the tokens whose rows were drawn are hidden first; by default they are not. For encoders whose tokens ask. */
  readonly mask_self?: boolean;
  /** Randomness schedule: its share (variable length) or ratio (fixed length) at the first step; without it none. */
  readonly select_initial_ratio?: number;
  /** Share of the run over which the schedule decays to nothing. */
  readonly schedule_fraction: number;
}

/** Whether the authors treat such records as of varying length: rows of ids and of fields are, images and series are not. */
const variesInLength = (spec: TokenSpec): boolean => spec.kind !== 'continuous';

/** Of so many rows of the attention map, how many are drawn for `length` tokens; never none, which short inputs would otherwise give. */
const drawnQueries = (options: SmaOptions, queries: number, length: number): number =>
  Math.min(queries, Math.max(1, roundHalfToEven((length * options.masking_ratio) / options.per_query)));

/**
 * float32[size, heads, queries]: how much each row of each head's attention map counts. Of the rows that were drawn,
 * without replacement, the heads share the weight, or one head that was drawn for the row has all of it; others have none.
 */
function chosenQueries(
  options: SmaOptions,
  { size, tokens, attentionMap }: BatchShape,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const { heads, queries, tokensAsk } = attentionMap ?? NO_MAP;
  const chosen = new Float32Array(size * heads * queries);
  for (let row = 0; row < batch.rows; row++) {
    // A record's own tokens ask, so its length counts; the authors let the padded length count where latents ask.
    const [asking, length] = tokensAsk ? [batch.lengths[row], batch.lengths[row]] : [queries, tokens];
    const order = permutation(asking, source('queries', row));
    const head = source('heads', row);
    for (const query of order.subarray(0, drawnQueries(options, asking, length))) {
      const place = (of: number) => (row * heads + of) * queries + query;
      if (options.attention_heads === 'random-mix') chosen[place(head.integer(heads))] = 1;
      else for (let i = 0; i < heads; i++) chosen[place(i)] = 1 / heads;
    }
  }
  return hostTensor('float32', [size, heads, queries], chosen);
}

/** What is left of the randomness, from 1 at the start down a cosine to 0. */
const remainingNoise = (options: SmaOptions, progress: number): number => {
  const share = progress / options.schedule_fraction;
  return share < 1 ? 0.5 * (1 + Math.cos(Math.PI * share)) : 0;
};

/**
 * When `noise` of the randomness is left, how many tokens of a record are hidden, and how many attention picks before: in
 * records of varying length the first of the hidden ones, in others a pool from which the hidden ones are drawn.
 */
function hiddenCounts(options: SmaOptions, spec: TokenSpec, length: number, noise: number) {
  const { masking_ratio: ratio, select_initial_ratio: initial = 0 } = options;
  const hidden = hiddenCount(spec, length, ratio);
  if (variesInLength(spec)) {
    const picked = roundedShare(spec, ratio * (1 - initial * noise), length);
    const drawn = roundedShare(spec, ratio * initial * noise, length);
    const all = Math.max(Math.min(hidden, 1), Math.min(length - 1, picked + drawn));
    return { hidden: all, picked: Math.min(all, noise === 0 ? all : picked) };
  }
  const pool = roundHalfToEven((ratio + (initial - ratio) * noise) * length);
  return { hidden, picked: Math.max(hidden, Math.min(length, pool)) };
}

/** By how many tokens the schedule may hide more or fewer, since it rounds what is picked and what is drawn apart. */
const roundingSlack = (options: SmaOptions, spec: TokenSpec): number =>
  options.select_initial_ratio !== undefined && variesInLength(spec) ? 1 : 0;

/** Places for the hidden tokens of a record. */
const hiddenPlaces = (options: SmaOptions, spec: TokenSpec, shape: BatchShape): number =>
  Math.min(shape.tokens, mostHidden(options, spec, shape) + roundingSlack(options, spec));

/** Places for the tokens that attention picks in the schedule. */
const pickedPlaces = (options: SmaOptions, spec: TokenSpec, shape: BatchShape): number =>
  variesInLength(spec)
    ? hiddenPlaces(options, spec, shape)
    : Math.min(
        shape.tokens,
        Math.max(
          mostHidden(options, spec, shape),
          roundHalfToEven((options.select_initial_ratio ?? 0) * shape.tokens),
        ),
      );

/**
 * float32[batch, tokens]: how much the chosen rows of a map float32[batch, heads, queries, tokens] attend to each token.
 * With `mask_self` a token whose own row was chosen has as its score the number of heads instead.
 */
export function attendedTo(
  { mask_self }: Pick<SmaOptions, 'mask_self'>,
  attention: Value,
  chosen: Value,
): Value {
  const [batch, heads, queries, count] = attention.shape.map((size, axis) =>
    axis === 0 ? size : staticSize(size),
  );
  const rows = Number(heads) * Number(queries);
  const summed = matmul(reshape(chosen, [batch, 1, rows]), reshape(attention, [batch, rows, count]));
  const scores = reshape(summed, [batch, count]);
  if (!mask_self) return scores;
  return where(less(scalar(0), sum(chosen, [1])), scalar(Number(heads)), scores);
}

/**
 * Self-guided masked autoencoding (Xie, Lee, Chen & Finn, ICLR 2024): a few random rows of the model's own first
 * attention map are added up, and the tokens that they attend to most are hidden in the same pass.
 *
 * With `select_initial_ratio` the choice starts out partly random. For rows of ids and of fields, whose lengths vary in the
 * authors' code, that share of the hidden tokens is drawn from those the attention did not pick; for the others the
 * attention first picks that ratio of the tokens, and the hidden ones are drawn from it.
 *
 * Departures from the authors' code: at least one row of the map is drawn, at least one token is hidden and one is
 * left; the end of the schedule is not rounded to a step; where tokens ask, their number is that of the record for images
 * and series, too, and these heed `mask_self`.
 */
export const sma: Objective<SmaOptions> = {
  paper:
    'Xie, Lee, Chen & Finn, "Self-Guided Masked Autoencoders for Domain-Agnostic Self-Supervised Learning", ICLR 2024',
  options: {
    ...maskingOptions,
    per_query: {
      type: z.int().min(1),
      description: 'tokens hidden per chosen row of the attention map',
      example: 4,
    },
    attention_heads: {
      type: z.enum(HEAD_CHOICES).optional(),
      description: 'heads of the attention map: their mean, or one drawn for each row',
      example: 'random-mix',
    },
    mask_self: {
      type: z.boolean().optional(),
      description: 'hide the tokens whose rows of the attention map are drawn first (transformer)',
      example: true,
    },
    select_initial_ratio: {
      type: z.number().min(0).max(1).optional(),
      description: 'randomness of the mask at the first step, where a schedule is wanted',
      example: 0.5,
    },
    schedule_fraction: {
      type: z.number().min(0).max(1),
      description: 'part of the run over which that randomness fades',
      example: 0.25,
    },
  },
  defaults(spec, encoder, chosen) {
    const masking = maskingDefaults(spec, encoder, chosen);
    const { per_query, attention_heads, mask_self, select_initial_ratio, schedule_fraction = 0.25 } = chosen;
    return {
      ...masking,
      per_query: per_query ?? Math.max(1, Math.round((masking.masking_ratio * spec.maxTokens) / 4)),
      ...(attention_heads !== undefined && { attention_heads }),
      ...(mask_self !== undefined && { mask_self }),
      ...(select_initial_ratio !== undefined && { select_initial_ratio }),
      schedule_fraction,
    };
  },
  byRecord: () => 'noise and loss',
  check(options, run) {
    checkMasking(options, run);
    const map = encoderNamed(run.encoder.kind as EncoderKind).attentionMap?.(run.encoder, run.spec.maxTokens);
    if (options.mask_self && map && !map.tokensAsk) {
      throw new InputError(
        `objective.mask_self: the rows of the first attention map of the encoder ${run.encoder.kind} are those of latents, not of tokens; leave it out, or use --encoder transformer`,
      );
    }
  },
  noise(options, spec, shape) {
    const { size, tokens, attentionMap: { heads, queries } = NO_MAP } = shape;
    return {
      chosen_queries: { dtype: 'float32', shape: [size, heads, queries] },
      used: { dtype: 'float32', shape: [size, hiddenPlaces(options, spec, shape)] },
      ...(options.select_initial_ratio !== undefined && {
        scores: { dtype: 'float32', shape: [size, tokens] },
        stage_one: { dtype: 'float32', shape: [size, pickedPlaces(options, spec, shape)] },
      }),
    };
  },
  draw(options, spec, shape, batch, progress, source) {
    const noise = options.select_initial_ratio === undefined ? 0 : remainingNoise(options, progress);
    const counts = (length: number) => hiddenCounts(options, spec, length, noise);
    return {
      chosen_queries: chosenQueries(options, shape, batch, source),
      used: leadingOnes(batch, hiddenPlaces(options, spec, shape), (length) => counts(length).hidden),
      ...(options.select_initial_ratio !== undefined && {
        scores: uniformScores(shape, batch, source),
        stage_one: leadingOnes(batch, pickedPlaces(options, spec, shape), (length) => counts(length).picked),
      }),
    };
  },
  build(options, inputs) {
    const { noise, tokens, spec, shape } = inputs;
    const select = (attention: Value | undefined) => {
      if (attention === undefined) throw noAttention();
      const attended = attendedTo(options, attention, noise.chosen_queries);
      if (options.select_initial_ratio === undefined) return selectLargest(attended, tokens, noise.used);
      const picked = selectedMask(selectLargest(attended, tokens, noise.stage_one), tokens);
      return selectLargest(scheduledScores(spec, picked, noise.scores), tokens, noise.used);
    };
    const visible = mostVisible(options, spec, shape) + roundingSlack(options, spec);
    return maskedAutoencoding(options, inputs, select, Math.min(shape.tokens, visible));
  },
};

function noAttention(): InputError {
  const fitting = Object.entries<Encoder>(encoders).flatMap(([name, encoder]) =>
    encoder.attentionMap ? [name] : [],
  );
  return new InputError(
    `the objective sma hides what the encoder's first attention map attends to, and this encoder has no such map; use --encoder ${fitting.join(', ')}, or --objective random-masking`,
  );
}

/** Scores that choose everything picked and fill up at random, or choose at random among what was picked. */
function scheduledScores(spec: TokenSpec, picked: Value, uniform: Value): Value {
  return variesInLength(spec)
    ? add(where(picked, scalar(1), scalar(0)), uniform)
    : where(picked, uniform, scalar(-0.5));
}
