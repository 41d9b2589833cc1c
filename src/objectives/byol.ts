import { z } from 'zod';
import { add } from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { permutation, type Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  cosineDistance,
  cosineMomentum,
  type ProjectionOptions,
  project,
  projectionDefaults,
  projectionOptions,
  spread,
  targetMomentumOption,
} from './joint-embedding.js';
import { hiddenCount } from './masked-autoencoding.js';
import type { BatchShape, Objective } from './objective.js';

export interface ByolOptions extends ProjectionOptions {
  /** Share of the real tokens that each view leaves out. */
  readonly drop_ratio: number;
  /** Momentum of the target network at the first step. */
  readonly target_momentum: number;
}

const VIEWS = ['first_dropped', 'second_dropped'];

/** bool[size, tokens]: true for the tokens that a view of each row leaves out, drawn without replacement. */
function droppedTokens(
  ratio: number,
  spec: TokenSpec,
  { size, tokens }: BatchShape,
  batch: Batch,
  source: (row: number) => Random,
) {
  const dropped = new Uint8Array(size * tokens);
  for (let row = 0; row < batch.rows; row++) {
    const length = batch.lengths[row];
    const order = permutation(length, source(row));
    for (const token of order.subarray(0, hiddenCount(spec, length, ratio)))
      dropped[row * tokens + token] = 1;
  }
  return hostTensor('bool', [size, tokens], dropped);
}

/**
 * Bootstrap your own latent (Grill et al., NeurIPS 2020): from one view of a record predict the projection that the target
 * network, an average of the trained one, has of another view, and the reverse. No record is pushed away from another.
 *
 * Departures from the paper: a view leaves out some tokens, since nothing is known of the domain; layer norm stands where
 * projector and predictor have batch norm; AdamW instead of LARS.
 */
export const byol: Objective<ByolOptions> = {
  paper:
    'Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS 2020',
  options: {
    ...projectionOptions,
    drop_ratio: {
      type: z.number().gt(0).lt(1),
      description: 'part of the tokens that each view leaves out',
      example: 0.25,
    },
    target_momentum: targetMomentumOption,
  },
  defaults: (_spec, { width }, chosen) => ({
    ...projectionDefaults(width, chosen),
    drop_ratio: chosen.drop_ratio ?? 0.25,
    target_momentum: chosen.target_momentum ?? 0.996,
  }),
  noise: (_options, _spec, { size, tokens }) =>
    Object.fromEntries(VIEWS.map((view) => [view, { dtype: 'bool', shape: [size, tokens] }])),
  draw: ({ drop_ratio }, spec, shape, batch, _progress, source) =>
    Object.fromEntries(
      VIEWS.map((view) => [view, droppedTokens(drop_ratio, spec, shape, batch, (row) => source(view, row))]),
    ),
  build(options, { spec, shape, noise, rows, encode, target }) {
    const visible = shape.tokens - hiddenCount(spec, shape.tokens, options.drop_ratio);
    const projected = VIEWS.map((view) => () => {
      const { pooled } = encode({ hiding: { choose: () => noise[view], visible } });
      return project('projector', pooled, options);
    });
    const online = projected.map((build) => build());
    const [first, second] = online.map((projection) => project('predictor', projection, options));
    const [firstTarget, secondTarget] = projected.map((build) => target(build));
    const distance = add(cosineDistance(first, secondTarget), cosineDistance(second, firstTarget));
    const { mean, weight } = weightedMean(distance, rows);
    return { loss: mean, weight, metrics: { projection_spread: spread(online[0], rows) } };
  },
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress),
};
