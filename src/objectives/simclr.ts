import { z } from 'zod';
import {
  constant,
  less,
  log,
  matmul,
  multiply,
  reshape,
  scalar,
  staticSize,
  subtract,
  sumAll,
  type Value,
  where,
} from '../graph/index.js';
import { crossEntropy, weightedMean } from '../layers/losses.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  batchNormOver,
  checkViews,
  drawViewNoise,
  encodeViews,
  type ProjectionOptions,
  project,
  projectionDefaults,
  projectionOptions,
  spread,
  stackedCopies,
  unit,
  type ViewChanges,
  viewChanges,
  viewDefaults,
  viewNoise,
  viewsByRecord,
} from './joint-embedding.js';
import type { Objective } from './objective.js';

/** The options of SimCLR. */
export interface SimclrOptions extends ViewChanges, ProjectionOptions {
  /** By what the cosines are divided: the lower, the more the nearest other records count. */
  readonly temperature: number;
}

const VIEWS = 2;

/**
 * NT-Xent: how surely each of the 2 · size vectors float32[2 · size, width] tells its record's other view from all other
 * records' views, in nats: float32[2 · size]. `rows` float32[2 · size] is 0 for vectors that nothing is compared with.
 */
export function contrastiveLoss(vectors: Value, rows: Value, temperature: number): Value {
  const count = staticSize(vectors.shape[0]);
  const directions = unit(vectors);
  const similarity = multiply(matmul(directions, directions, { transposeB: true }), scalar(1 / temperature));
  const itself = hostTensor(
    'float32',
    [count, count],
    Float32Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0)),
  );
  const others = subtract(reshape(rows, [1, count]), constant(itself));
  const logits = where(less(scalar(0.5), others), similarity, scalar(-1e9));
  const otherView = Int32Array.from({ length: count }, (_, i) => (i + count / 2) % count);
  return crossEntropy(logits, constant(hostTensor('int32', [count], otherView)));
}

/**
 * SimCLR (Chen et al., ICML 2020): two views of a record shall be nearer to each other than to the views of all other
 * records of the batch.
 *
 * Departures from the paper: views of what is no image leave out, replace and disturb tokens; AdamW instead of LARS.
 */
export const simclr: Objective<SimclrOptions> = {
  paper: 'Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020',
  options: {
    ...viewChanges,
    ...projectionOptions,
    temperature: {
      type: z.number().gt(0),
      description: 'by what similarities are divided; the lower, the more the nearest others count',
      example: 0.5,
    },
  },
  defaults: (spec, { width }, chosen) => ({
    ...viewDefaults(spec, chosen),
    ...projectionDefaults(width, chosen),
    temperature: chosen.temperature ?? 0.5,
  }),
  // Of one record alone each view's other is the only other: the loss is 0 whatever is learned.
  leastRecords: 2,
  check: checkViews,
  byRecord: viewsByRecord,
  noise: (options, spec, shape) => viewNoise(options, spec, shape, VIEWS),
  draw: (options, spec, _shape, batch, _progress, source) =>
    drawViewNoise(options, spec, batch, VIEWS, source),
  build(options, inputs) {
    const records = inputs.across(inputs.rows);
    const rows = stackedCopies(records, VIEWS);
    const projection = project(
      'projector',
      encodeViews(options, inputs, VIEWS),
      options,
      batchNormOver(rows, inputs.training),
    );
    const { mean } = weightedMean(contrastiveLoss(projection, rows, options.temperature), rows);
    return {
      loss: mean,
      weight: sumAll(records),
      // All others alike: each of the 2n − 1 is as likely.
      marginalLoss: log(subtract(sumAll(rows), scalar(1))),
      metrics: { projection_spread: spread(projection, rows) },
    };
  },
};
