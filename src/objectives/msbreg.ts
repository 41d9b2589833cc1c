import { z } from 'zod';
import { add, divide, multiply, scalar, subtract, sum, type Value } from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import {
  cosineMomentum,
  drawViewNoise,
  encodeViews,
  layerNormalization,
  type ProjectionOptions,
  project,
  projectionDefaults,
  projectionOptions,
  splitViews,
  spread,
  stackedCopies,
  type TargetNetworkOptions,
  targetMomentum,
  unit,
  type ViewChanges,
  viewChanges,
  viewDefaults,
  viewNoise,
} from './joint-embedding.js';
import { regularized } from './regularizers.js';

export interface MultiviewCentroidOptions extends ViewChanges, ProjectionOptions, TargetNetworkOptions {
  /** Views of each record. */
  readonly views: number;
}

/** The mean of each record's vectors scaled to length 1: float32[count · size, width], view by view → float32[size, width]. */
const centroid = (vectors: Value, count: number): Value =>
  divide(splitViews(unit(vectors), count).reduce(add), scalar(count));

/** ‖centroid of the predictions − centroid of the targets‖² of each record: float32[size], from 0 to 4. */
export function centroidLoss(predictions: Value, targets: Value, count: number): Value {
  const difference = subtract(centroid(predictions, count), centroid(targets, count));
  return sum(multiply(difference, difference), [-1]);
}

/**
 * A reconstruction of MSBReg from its description (WACV 2023), whose equations were not at hand: the centroid of what is
 * predicted from the views of a record shall be that of what the target network makes of them, embeddings shall fill all
 * directions alike, and each is stirred. Two terms are {@link regularized}'s, which the paper, too, puts on embeddings alone.
 */
export const msbreg = regularized<MultiviewCentroidOptions>(
  {
    paper:
      '"An Embedding-Dynamic Approach to Self-Supervised Learning", WACV 2023: a reconstruction from its description',
    options: {
      ...viewChanges,
      ...projectionOptions,
      target_momentum: targetMomentum,
      views: { type: z.int().min(2), description: 'views of each record', example: 3 },
    },
    defaults: (spec, { width }, chosen) => ({
      ...viewDefaults(spec, chosen),
      ...projectionDefaults(width, chosen),
      target_momentum: chosen.target_momentum ?? 0.996,
      views: chosen.views ?? 3,
    }),
    noise: (options, spec, shape) => viewNoise(options, spec, shape, options.views),
    draw: (options, spec, _shape, batch, _progress, source) =>
      drawViewNoise(options, spec, batch, options.views, source),
    build(options, inputs) {
      const { views } = options;
      const projected = () =>
        project('projector', encodeViews(options, inputs, views), options, layerNormalization);
      const projection = projected();
      const predicted = project('predictor', projection, options, layerNormalization);
      const loss = centroidLoss(predicted, inputs.target(projected), views);
      const { mean, weight } = weightedMean(loss, inputs.rows);
      const rows = stackedCopies(inputs.rows, views);
      return { loss: mean, weight, metrics: { projection_spread: spread(projection, rows) } };
    },
    momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress),
  },
  { singular_value_weight: 1, diffusive_weight: 0.1 },
);
