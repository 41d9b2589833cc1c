import { z } from 'zod';
import { add, multiply, scalar } from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import {
  checkViews,
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
  type ViewChanges,
  viewChanges,
  viewDefaults,
  viewNoise,
  viewsByRecord,
} from './joint-embedding.js';
import type { Objective } from './objective.js';
import {
  centroidLoss,
  DIFFUSIVE_STEPS,
  diffusiveLoss,
  type RegularizerOptions,
  randomDirections,
  regularizerOptions,
  singularValueLoss,
} from './regularizers.js';

/** The options of MSBReg. */
export interface MsbregOptions
  extends ViewChanges,
    ProjectionOptions,
    TargetNetworkOptions,
    RegularizerOptions {
  /** Views of each record. */
  readonly views: number;
}

/**
 * A reconstruction of MSBReg from its description (WACV 2023), whose equations were not at hand: what is predicted from each
 * view of a record is pulled to the centroid of what the target network makes of its views, projections shall fill all
 * directions alike, and those of the first view are stirred. The last two terms are those of `regularizers.ts`, here on the
 * vectors that are compared.
 */
export const msbreg: Objective<MsbregOptions> = {
  paper:
    '"An Embedding-Dynamic Approach to Self-Supervised Learning", WACV 2023: a reconstruction from its description',
  options: {
    ...viewChanges,
    ...projectionOptions,
    ...regularizerOptions,
    target_momentum: targetMomentum,
    views: { type: z.int().min(2), description: 'views of each record', example: 3 },
  },
  defaults: (spec, { width }, chosen) => ({
    ...viewDefaults(spec, chosen),
    ...projectionDefaults(width, chosen),
    singular_value_weight: chosen.singular_value_weight ?? 0.05,
    diffusive_weight: chosen.diffusive_weight ?? 0.01,
    target_momentum: chosen.target_momentum ?? 0.996,
    views: chosen.views ?? 3,
  }),
  check: checkViews,
  byRecord: viewsByRecord,
  noise: (options, spec, shape) => ({
    ...viewNoise(options, spec, shape, options.views),
    [DIFFUSIVE_STEPS]: { dtype: 'float32', shape: [shape.size, options.projection_width] },
  }),
  draw: (options, spec, { size }, batch, _progress, source) => ({
    ...drawViewNoise(options, spec, batch, options.views, source),
    [DIFFUSIVE_STEPS]: randomDirections({ size, width: options.projection_width }, batch, source),
  }),
  build(options, inputs) {
    const { views, singular_value_weight = 0, diffusive_weight = 0 } = options;
    const records = inputs.across(inputs.rows);
    const rows = stackedCopies(records, views);
    const projected = () =>
      project('projector', encodeViews(options, inputs, views), options, layerNormalization);
    const projection = projected();
    const predicted = project('predictor', projection, options, layerNormalization);
    const centroids = weightedMean(centroidLoss(predicted, inputs.target(projected), views), records);
    const spectrum = singularValueLoss(projection, rows);
    const [first] = splitViews(projection, views);
    const steps = inputs.across(inputs.noise[DIFFUSIVE_STEPS]);
    const diffusion = diffusiveLoss(first, steps, records);
    return {
      loss: [
        centroids.mean,
        multiply(spectrum, scalar(singular_value_weight)),
        multiply(diffusion, scalar(diffusive_weight)),
      ].reduce(add),
      weight: centroids.weight,
      metrics: {
        centroid_loss: centroids.mean,
        singular_value_loss: spectrum,
        diffusive_loss: diffusion,
        projection_spread: spread(projection, rows),
      },
    };
  },
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress),
};
