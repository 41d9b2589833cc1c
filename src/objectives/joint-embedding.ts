/**
 * What objectives that compare embeddings share: a projector, the distance of two vectors, and how fast a target
 * network follows.
 */
import { z } from 'zod';
import {
  add,
  divide,
  multiply,
  relu,
  reshape,
  scalar,
  scope,
  sqrt,
  subtract,
  sum,
  sumAll,
  type Value,
} from '../graph/index.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import type { Objective, Option } from './objective.js';

export interface ProjectionOptions {
  /** Hidden channels of projector and predictor. */
  readonly projector_width: number;
  /** Channels of the vectors that are compared. */
  readonly projection_width: number;
}

export const projectionOptions: Objective<ProjectionOptions>['options'] = {
  projector_width: {
    type: z.int().min(1),
    description: 'hidden width of projector and predictor',
    example: 512,
  },
  projection_width: { type: z.int().min(1), description: 'width of the compared vectors', example: 128 },
};

export const projectionDefaults = (width: number, chosen: Partial<ProjectionOptions>): ProjectionOptions => ({
  projector_width: chosen.projector_width ?? 4 * width,
  projection_width: chosen.projection_width ?? width,
});

/**
 * linear → layer norm → ReLU → linear: float32[batch, width] → float32[batch, projection_width]. Layer norm stands where
 * the papers have batch norm, so that each row is projected alone.
 */
export const project = (name: string, x: Value, options: ProjectionOptions): Value =>
  scope(name, () => {
    const hidden = relu(layerNorm('norm', linear('hidden', x, options.projector_width, { bias: false })));
    return linear('output', hidden, options.projection_width);
  });

/** Vectors along the last axis, scaled to length 1; a vector of zeros stays one, with a finite gradient. */
export const unit = (x: Value): Value =>
  divide(x, sqrt(add(sum(multiply(x, x), [-1], { keepSizes: true }), scalar(1e-12))));

/** 2 − 2 cos of the angle between vectors float32[batch, width]: float32[batch]. */
export const cosineDistance = (x: Value, y: Value): Value =>
  multiply(subtract(scalar(1), sum(multiply(unit(x), unit(y)), [-1])), scalar(2));

/**
 * How far the directions of vectors float32[batch, width] are spread, over the rows that count: the variance of the
 * vectors scaled to length 1, from 0 where all point one way, a collapse, to 1.
 */
export function spread(x: Value, rows: Value): Value {
  const counted = multiply(unit(x), reshape(rows, [x.shape[0], 1]));
  const centre = divide(sum(counted, [0]), sumAll(rows));
  return subtract(scalar(1), sumAll(multiply(centre, centre)));
}

/** The momentum that {@link cosineMomentum} starts from. */
export const targetMomentumOption: Option<number> = {
  type: z.number().min(0).max(1),
  description: 'momentum of the target network at the first step; it rises to 1',
  example: 0.996,
};

/** The momentum of BYOL's target network: from `base` at the start along half a cosine to 1 at the end of the run. */
export const cosineMomentum = (base: number, progress: number): number =>
  1 - ((1 - base) * (1 + Math.cos(Math.PI * progress))) / 2;
