import type { Encoder } from '../encoders/encoder.js';
import { encoders } from '../encoders/index.js';
import { InputError } from '../errors.js';
import { add, matmul, mean, reshape, scalar, type Value, where } from '../graph/index.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { permutation, type Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  hiddenCount,
  leadingOnes,
  maskedAutoencoding,
  mostHidden,
  roundHalfToEven,
  selectedMask,
  selectLargest,
} from './masked-autoencoding.js';
import type { BatchShape, Objective, ObjectiveConfig } from './objective.js';
import { uniformScores } from './random-masking.js';

/** Rows of the attention map that are drawn; never none, which short inputs would otherwise give. */
const drawnQueries = (config: ObjectiveConfig, shape: BatchShape): number =>
  Math.min(
    shape.attentionQueries,
    Math.max(1, roundHalfToEven((shape.tokens * config.maskingRatio) / config.perQuery)),
  );

/** float32[size, queries]: 1 for the rows of the attention map that were drawn, without replacement. */
function chosenQueries(
  config: ObjectiveConfig,
  shape: BatchShape,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const { size, attentionQueries } = shape;
  const chosen = new Float32Array(size * attentionQueries);
  for (let row = 0; row < batch.rows; row++) {
    const order = permutation(attentionQueries, source('queries', row));
    for (const query of order.subarray(0, drawnQueries(config, shape)))
      chosen[row * attentionQueries + query] = 1;
  }
  return hostTensor('float32', [size, attentionQueries], chosen);
}

/** What is left of the randomness, from 1 at the start down a cosine to 0. */
const remainingNoise = (config: ObjectiveConfig, progress: number): number => {
  const share = progress / config.scheduleFraction;
  return share < 1 ? 0.5 * (1 + Math.cos(Math.PI * share)) : 0;
};

/** Places in the first stage of the schedule, which picks by attention. */
const stageOnePlaces = (config: ObjectiveConfig, spec: TokenSpec, shape: BatchShape): number =>
  spec.kind === 'discrete'
    ? mostHidden(config, spec, shape)
    : Math.min(
        shape.tokens,
        Math.max(
          mostHidden(config, spec, shape),
          roundHalfToEven((config.selectInitialRatio ?? 0) * shape.tokens),
        ),
      );

/** How many tokens the first stage picks when `noise` of the randomness is left. */
function stageOneCount(config: ObjectiveConfig, spec: TokenSpec, length: number, noise: number): number {
  const initial = config.selectInitialRatio ?? 0;
  if (spec.kind === 'discrete') {
    return Math.min(
      hiddenCount(spec, length, config.maskingRatio),
      roundHalfToEven(config.maskingRatio * (1 - initial * noise) * length),
    );
  }
  const ratio = config.maskingRatio + (initial - config.maskingRatio) * noise;
  return Math.max(
    hiddenCount(spec, length, config.maskingRatio),
    Math.min(length, roundHalfToEven(ratio * length)),
  );
}

/**
 * Self-guided masked autoencoding (Xie, Lee, Chen & Finn, ICLR 2024): a few random rows of the model's own first
 * attention map are added up, and the tokens that they attend to most are hidden in the same pass.
 *
 * With `selectInitialRatio` the choice starts out partly random. For rows of ids, whose lengths vary in the authors' data, that
 * share of the hidden tokens is drawn from those the attention did not pick; for the others the attention first picks that
 * ratio of the tokens, and the hidden ones are drawn from it.
 *
 * Departures from the authors' code: at least one row of the map is drawn, at least one token is hidden and one is
 * left; with the schedule, the count of hidden tokens of a row does not change by one through rounding its two parts.
 */
export const sma: Objective = {
  paper:
    'Xie, Lee, Chen & Finn, "Self-Guided Masked Autoencoders for Domain-Agnostic Self-Supervised Learning", ICLR 2024',
  noise: (config, spec, shape) => ({
    chosen_queries: { dtype: 'float32', shape: [shape.size, shape.attentionQueries] },
    used: { dtype: 'float32', shape: [shape.size, mostHidden(config, spec, shape)] },
    ...(config.selectInitialRatio !== null && {
      scores: { dtype: 'float32', shape: [shape.size, shape.tokens] },
      stage_one: { dtype: 'float32', shape: [shape.size, stageOnePlaces(config, spec, shape)] },
    }),
  }),
  draw(config, spec, shape, batch, progress, source) {
    const noise = remainingNoise(config, progress);
    return {
      chosen_queries: chosenQueries(config, shape, batch, source),
      used: leadingOnes(batch, mostHidden(config, spec, shape), (length) =>
        hiddenCount(spec, length, config.maskingRatio),
      ),
      ...(config.selectInitialRatio !== null && {
        scores: uniformScores(shape, batch, source),
        stage_one: leadingOnes(batch, stageOnePlaces(config, spec, shape), (length) =>
          stageOneCount(config, spec, length, noise),
        ),
      }),
    };
  },
  build: (config, inputs) =>
    maskedAutoencoding(config, inputs, (attention) => {
      if (attention === undefined) throw noAttention();
      const { noise, tokens, spec } = inputs;
      const [batch, , queries, count] = attention.shape;
      const averaged = mean(attention, [1]);
      const chosen = reshape(noise.chosen_queries, [batch, 1, queries]);
      const attended = reshape(matmul(chosen, averaged), [batch, count]);
      if (config.selectInitialRatio === null) return selectLargest(attended, tokens, noise.used);
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
