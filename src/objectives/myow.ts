import { z } from 'zod';
import {
  add,
  constant,
  divide,
  gather,
  gatherElements,
  less,
  matmul,
  multiply,
  reshape,
  scalar,
  staticSize,
  stopGradient,
  subtract,
  sumAll,
  topK,
  type Value,
  where,
} from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import type { Batch } from '../records/batch.js';
import type { Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { type ByolOptions, byol, exchangedViews } from './byol.js';
import {
  batchNormOver,
  checkViews,
  cosineDistance,
  encodeViews,
  project,
  splitViews,
  spread,
  stackedCopies,
  unit,
} from './joint-embedding.js';
import type { Objective } from './objective.js';

/** The options of MYOW. */
export interface MyowOptions extends ByolOptions {
  /** From how many nearest records the mined view is drawn. */
  readonly neighbors: number;
  /** Weight of mined views once they have their full weight; that of BYOL's views is 1. */
  readonly mined_weight: number;
  /** Share of the run after which the weight begins to rise. */
  readonly mining_start: number;
  /** Share of the run in which it rises from 0. */
  readonly mining_ramp: number;
}

const VIEWS = 2;
const [WEIGHT, CHOICE] = ['mined_weight', 'mined_choice'];
const shareOfRun = z.number().min(0).max(1);

/**
 * The weight of mined views at `progress`: 0, then rising in a straight line, then `mined_weight`.
 * @internal
 */
export const minedWeight = (
  { mined_weight, mining_start, mining_ramp }: MyowOptions,
  progress: number,
): number => {
  const since = progress - mining_start;
  if (since < 0) return 0;
  return since >= mining_ramp ? mined_weight : (mined_weight * since) / mining_ramp;
};

/**
 * For each row of float32[size, width] one of its `neighbors` nearest other rows of float32[size, width] by the angle, the
 * one that int32[size, 1] chooses: its place, int32[size], and float32[size] 0 where no row that counts is left to choose.
 * @internal
 */
export function mine(
  anchors: Value,
  candidates: Value,
  { rows, choice, neighbors }: { rows: Value; choice: Value; neighbors: number },
): { place: Value; found: Value } {
  const [size] = rows.shape as number[];
  const itself = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const others = subtract(reshape(rows, [1, size]), constant(hostTensor('float32', [size, size], itself)));
  const cosines = matmul(unit(anchors), unit(candidates), { transposeB: true });
  const { values, indices } = topK(where(less(scalar(0.5), others), cosines, scalar(-2)), neighbors);
  const chosen = (x: Value) => reshape(gatherElements(x, choice, 1), [size]);
  return { place: chosen(indices), found: where(less(chosen(values), scalar(-1.5)), scalar(0), rows) };
}

/** int32[size, 1]: which of the neighbours each row takes. */
function drawChoice(neighbors: number, batch: Batch, source: (purpose: string, row: number) => Random) {
  const choice = new Int32Array(batch.size);
  for (let row = 0; row < batch.rows; row++)
    choice[row] = Math.floor(source(CHOICE, row).uniform() * Math.min(neighbors, batch.size));
  return hostTensor('int32', [batch.size, 1], choice);
}

/**
 * Mine your own view (Azabou et al., 2021): BYOL, and besides the prediction, behind a second projector, of a record that
 * looks alike to the encoder, as if it were another view.
 *
 * Departures from the paper: neighbours are looked for among the other records of the batch, not in a pool of their own,
 * and these are seen unchanged, not slightly so; the angle of embeddings stands for their distance; those of {@link byol}.
 */
export const myow: Objective<MyowOptions> = {
  paper:
    'Azabou et al., "Mine Your Own vieW: Self-Supervised Learning Through Across-Sample Prediction", 2021',
  options: {
    ...byol.options,
    neighbors: {
      type: z.int().min(1),
      description: 'from how many nearest records of the batch the mined view is drawn',
      example: 3,
    },
    mined_weight: {
      type: z.number().min(0),
      description: "weight of mined views, beside 1 for the record's own",
      example: 1,
    },
    mining_start: {
      type: shareOfRun,
      description: 'part of the run after which the weight of mined views begins to rise from 0',
      example: 0.1,
    },
    mining_ramp: {
      type: shareOfRun,
      description: 'part of the run in which the weight of mined views rises',
      example: 0.1,
    },
  },
  defaults: (spec, encoder, chosen) => ({
    ...byol.defaults(spec, encoder, chosen),
    neighbors: chosen.neighbors ?? 1,
    mined_weight: chosen.mined_weight ?? 1,
    mining_start: chosen.mining_start ?? 0.1,
    mining_ramp: chosen.mining_ramp ?? 0.1,
  }),
  check: checkViews,
  byRecord: () => 'loss',
  noise: (options, spec, shape) => ({
    ...byol.noise(options, spec, shape),
    [WEIGHT]: { dtype: 'float32', shape: [] },
    [CHOICE]: { dtype: 'int32', shape: [shape.size, 1] },
  }),
  draw: (options, spec, shape, batch, progress, source) => ({
    ...byol.draw(options, spec, shape, batch, progress, source),
    [WEIGHT]: hostTensor('float32', [], Float32Array.of(minedWeight(options, progress))),
    [CHOICE]: drawChoice(options.neighbors, batch, source),
  }),
  build(options, inputs) {
    const { encode, noise, target, across } = inputs;
    const records = across(inputs.rows);
    const rows = stackedCopies(records, VIEWS);
    const normalize = batchNormOver(rows, inputs.training);
    const projectedViews = () => {
      const embedding = encodeViews(options, inputs, VIEWS);
      return { embedding, projection: project('projector', embedding, options, normalize) };
    };
    const online = projectedViews();
    const predicted = project('predictor', online.projection, options, normalize);
    const cascaded = project('mined_projector', online.projection, options, normalize);
    const minedPrediction = project('mined_predictor', cascaded, options, normalize);

    const targets = target(() => {
      const alone = batchNormOver(records, inputs.training);
      const pooled = across(encode().pooled);
      const projection = project('projector', pooled, options, alone);
      return {
        views: projectedViews().projection,
        candidates: pooled,
        mined: project('mined_projector', projection, options, alone),
      };
    });
    const [anchors] = splitViews(stopGradient(online.embedding), VIEWS);
    const { place, found } = mine(anchors, targets.candidates, {
      rows: records,
      choice: across(noise[CHOICE]),
      neighbors: Math.min(options.neighbors, staticSize(records.shape[0])),
    });
    const ownViews = weightedMean(cosineDistance(predicted, exchangedViews(targets.views)), rows).mean;
    const minedViews = weightedMean(
      cosineDistance(minedPrediction, stackedCopies(gather(targets.mined, place), VIEWS)),
      stackedCopies(found, VIEWS),
    ).mean;
    // Both directions of a record are added up, as in BYOL.
    const own = multiply(ownViews, scalar(VIEWS));
    const total = add(own, multiply(minedViews, noise[WEIGHT]));
    return {
      loss: divide(total, add(noise[WEIGHT], scalar(1))),
      weight: sumAll(records),
      metrics: { mined_distance: minedViews, projection_spread: spread(online.projection, rows) },
    };
  },
  momentum: byol.momentum,
};
