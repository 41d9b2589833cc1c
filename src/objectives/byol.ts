import { concatenate, multiply, scalar, sumAll, type Value } from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import {
  batchNormOver,
  checkViews,
  cosineDistance,
  cosineMomentum,
  drawViewNoise,
  encodeViews,
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

/** The options of BYOL. */
export interface ByolOptions extends ViewChanges, ProjectionOptions, TargetNetworkOptions {}

const VIEWS = 2;

/** float32[2 · size, …] with the two views exchanged. */
export const exchangedViews = (x: Value): Value => concatenate(splitViews(x, VIEWS).reverse(), 0);

/**
 * Bootstrap your own latent (Grill et al., NeurIPS 2020): from one view of a record predict the projection that the target
 * network, an average of the trained one, has of another view, and the reverse. No record is pushed away from another.
 *
 * Departures from the paper: views of what is no image leave out, replace and disturb tokens; both views are normalised as
 * one batch; AdamW instead of LARS.
 */
export const byol: Objective<ByolOptions> = {
  paper:
    'Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS 2020',
  options: { ...viewChanges, ...projectionOptions, target_momentum: targetMomentum },
  defaults: (spec, { width }, chosen) => ({
    ...viewDefaults(spec, chosen),
    ...projectionDefaults(width, chosen),
    target_momentum: chosen.target_momentum ?? 0.996,
  }),
  check: checkViews,
  byRecord: viewsByRecord,
  noise: (options, spec, shape) => viewNoise(options, spec, shape, VIEWS),
  draw: (options, spec, _shape, batch, _progress, source) =>
    drawViewNoise(options, spec, batch, VIEWS, source),
  build(options, inputs) {
    const records = inputs.across(inputs.rows);
    const rows = stackedCopies(records, VIEWS);
    const normalize = batchNormOver(rows, inputs.training);
    const projected = () => project('projector', encodeViews(options, inputs, VIEWS), options, normalize);
    const projection = projected();
    const predicted = project('predictor', projection, options, normalize);
    const { mean } = weightedMean(cosineDistance(predicted, exchangedViews(inputs.target(projected))), rows);
    return {
      // Both directions of a record are added up.
      loss: multiply(mean, scalar(VIEWS)),
      weight: sumAll(records),
      metrics: { projection_spread: spread(projection, rows) },
    };
  },
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress),
};
