import { z } from 'zod';
import type { Encoder } from '../encoders/encoder.js';
import { encoders } from '../encoders/index.js';
import { InputError } from '../errors.js';
import { add, matmul, mean, reshape, scalar, type Value, where } from '../graph/index.js';
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
  roundHalfToEven,
  selectedMask,
  selectLargest,
} from './masked-autoencoding.js';
import type { BatchShape, Objective } from './objective.js';
import { uniformScores } from './random-masking.js';

/** The options of SMA. */
export interface SmaOptions extends MaskingOptions {
  /** Hidden tokens per row of the attention map that is drawn (the authors' `num_per_query`). */
  readonly per_query: number;
  /** Randomness schedule: its share (variable length) or ratio (fixed length) at the first step; without it none. */
  readonly select_initial_ratio?: number;
  /** Share of the run over which the schedule decays to nothing. */
  readonly schedule_fraction: number;
}

/** Rows of the attention map that are drawn; never none, which short inputs would otherwise give. */
const drawnQueries = (options: SmaOptions, shape: BatchShape): number =>
  Math.min(
    shape.attentionQueries,
    Math.max(1, roundHalfToEven((shape.tokens * options.masking_ratio) / options.per_query)),
  );

/** float32[size, queries]: 1 for the rows of the attention map that were drawn, without replacement. */
function chosenQueries(
  options: SmaOptions,
  shape: BatchShape,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const { size, attentionQueries } = shape;
  const chosen = new Float32Array(size * attentionQueries);
  for (let row = 0; row < batch.rows; row++) {
    const order = permutation(attentionQueries, source('queries', row));
    for (const query of order.subarray(0, drawnQueries(options, shape)))
      chosen[row * attentionQueries + query] = 1;
  }
  return hostTensor('float32', [size, attentionQueries], chosen);
}

/** What is left of the randomness, from 1 at the start down a cosine to 0. */
const remainingNoise = (options: SmaOptions, progress: number): number => {
  const share = progress / options.schedule_fraction;
  return share < 1 ? 0.5 * (1 + Math.cos(Math.PI * share)) : 0;
};

/** Places in the first stage of the schedule, which picks by attention. */
const stageOnePlaces = (options: SmaOptions, spec: TokenSpec, shape: BatchShape): number =>
  spec.kind === 'discrete'
    ? mostHidden(options, spec, shape)
    : Math.min(
        shape.tokens,
        Math.max(
          mostHidden(options, spec, shape),
          roundHalfToEven((options.select_initial_ratio ?? 0) * shape.tokens),
        ),
      );

/** How many tokens the first stage picks when `noise` of the randomness is left. */
function stageOneCount(options: SmaOptions, spec: TokenSpec, length: number, noise: number): number {
  const initial = options.select_initial_ratio ?? 0;
  if (spec.kind === 'discrete') {
    return Math.min(
      hiddenCount(spec, length, options.masking_ratio),
      roundHalfToEven(options.masking_ratio * (1 - initial * noise) * length),
    );
  }
  const ratio = options.masking_ratio + (initial - options.masking_ratio) * noise;
  return Math.max(
    hiddenCount(spec, length, options.masking_ratio),
    Math.min(length, roundHalfToEven(ratio * length)),
  );
}

/**
 * Self-guided masked autoencoding (Xie, Lee, Chen & Finn, ICLR 2024): a few random rows of the model's own first
 * attention map are added up, and the tokens that they attend to most are hidden in the same pass.
 *
 * With `select_initial_ratio` the choice starts out partly random. For rows of ids, whose lengths vary in the authors' data, that
 * share of the hidden tokens is drawn from those the attention did not pick; for the others the attention first picks that
 * ratio of the tokens, and the hidden ones are drawn from it.
 *
 * Departures from the authors' code: at least one row of the map is drawn, at least one token is hidden and one is
 * left; with the schedule, the count of hidden tokens of a row does not change by one through rounding its two parts.
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
    const { per_query, select_initial_ratio, schedule_fraction = 0.25 } = chosen;
    return {
      ...masking,
      per_query: per_query ?? Math.max(1, Math.round((masking.masking_ratio * spec.maxTokens) / 4)),
      ...(select_initial_ratio !== undefined && { select_initial_ratio }),
      schedule_fraction,
    };
  },
  check: checkMasking,
  noise: (options, spec, shape) => ({
    chosen_queries: { dtype: 'float32', shape: [shape.size, shape.attentionQueries] },
    used: { dtype: 'float32', shape: [shape.size, mostHidden(options, spec, shape)] },
    ...(options.select_initial_ratio !== undefined && {
      scores: { dtype: 'float32', shape: [shape.size, shape.tokens] },
      stage_one: { dtype: 'float32', shape: [shape.size, stageOnePlaces(options, spec, shape)] },
    }),
  }),
  draw(options, spec, shape, batch, progress, source) {
    const noise = remainingNoise(options, progress);
    return {
      chosen_queries: chosenQueries(options, shape, batch, source),
      used: leadingOnes(batch, mostHidden(options, spec, shape), (length) =>
        hiddenCount(spec, length, options.masking_ratio),
      ),
      ...(options.select_initial_ratio !== undefined && {
        scores: uniformScores(shape, batch, source),
        stage_one: leadingOnes(batch, stageOnePlaces(options, spec, shape), (length) =>
          stageOneCount(options, spec, length, noise),
        ),
      }),
    };
  },
  build: (options, inputs) =>
    maskedAutoencoding(options, inputs, (attention) => {
      if (attention === undefined) throw noAttention();
      const { noise, tokens, spec } = inputs;
      const [batch, , queries, count] = attention.shape;
      const averaged = mean(attention, [1]);
      const chosen = reshape(noise.chosen_queries, [batch, 1, queries]);
      const attended = reshape(matmul(chosen, averaged), [batch, count]);
      if (options.select_initial_ratio === undefined) return selectLargest(attended, tokens, noise.used);
      const picked = selectedMask(selectLargest(attended, tokens, noise.stage_one), tokens);
      return selectLargest(scheduledScores(spec, picked, noise.scores), tokens, noise.used);
    }),
};

function noAttention(): InputError {
  const fitting = Object.entries<Encoder>(encoders).flatMap(([name, encoder]) =>
    encoder.attentionQueries ? [name] : [],
  );
  return new InputError(
    `the objective sma hides what the encoder's first attention map attends to, and this encoder has no such map; use --encoder ${fitting.join(' or ')}, or --objective random-masking`,
  );
}

/** Scores that choose everything picked and fill up at random, or choose at random among what was picked. */
function scheduledScores(spec: TokenSpec, picked: Value, uniform: Value): Value {
  return spec.kind === 'discrete'
    ? add(where(picked, scalar(1), scalar(0)), uniform)
    : where(picked, uniform, scalar(-0.5));
}
