/**
 * What objectives that compare embeddings share: views of each record, a projector, the distance of two vectors, and how
 * fast a target network follows.
 */
import { z } from 'zod';
import { InputError } from '../errors.js';
import {
  add,
  concatenate,
  divide,
  multiply,
  relu,
  reshape,
  scalar,
  scope,
  slice,
  sqrt,
  staticSize,
  subtract,
  sum,
  sumAll,
  type Value,
} from '../graph/index.js';
import { batchNorm } from '../layers/batch-norm.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { tokenFeeds, tokenInputs, tokenTypes } from '../layers/token-embedding.js';
import type { Option } from '../options.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import type { Random } from '../tensor/random.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { IMAGE_VIEWS } from './image-views.js';
import type { BatchShape, NoiseType, Objective, ObjectiveInputs, RunFacts } from './objective.js';
import { drawViews, droppedCount, isImage, TOKEN_VIEWS, type ViewOptions } from './views.js';

/** How the views of a record differ from it. Images are cropped and coloured; other records are not. */
export interface ViewChanges {
  /** Share of the real tokens that a view leaves out. */
  readonly drop_ratio: number;
  /** Share of the tokens in sight that are replaced by those of other records. */
  readonly swap_ratio: number;
  /** Deviation of the noise on values, in standard deviations of the training data. */
  readonly noise_deviation: number;
  /** Of images: the least share of the area that a view shows. */
  readonly smallest_crop?: number;
  /** Of images: probability that a view is mirrored, left to right. */
  readonly flip_probability?: number;
}

const share = z.number().min(0).lt(1);

/** Their declarations, for the options of an objective that compares views. */
export const viewChanges: Objective<ViewChanges>['options'] = {
  drop_ratio: { type: share, description: 'part of the tokens that each view leaves out', example: 0.25 },
  swap_ratio: {
    type: share,
    description: 'part of the tokens of a view that are taken from other records',
    example: 0.2,
  },
  noise_deviation: {
    type: z.number().min(0),
    description: 'deviation of the noise on the values of a view, in standard deviations',
    example: 0.1,
  },
  smallest_crop: {
    type: z.number().gt(0).max(1).optional(),
    description: 'of images: least part of the area that a view shows',
    example: 0.4,
  },
  flip_probability: {
    type: z.number().min(0).max(1).optional(),
    description: 'of images: how often a view is mirrored; 0 where left and right differ, as for digits',
    example: 0.5,
  },
};

/** All of them: those that were chosen, and for the rest what suits the tokens. */
export function viewDefaults(spec: TokenSpec, chosen: Partial<ViewChanges>): ViewChanges {
  const image = isImage(spec);
  const usual = image ? { drop: 0, swap: 0, noise: 0 } : TOKEN_VIEWS;
  return {
    drop_ratio: chosen.drop_ratio ?? usual.drop,
    swap_ratio: chosen.swap_ratio ?? usual.swap,
    noise_deviation: chosen.noise_deviation ?? usual.noise,
    smallest_crop: chosen.smallest_crop ?? (image ? IMAGE_VIEWS.area[0] : undefined),
    flip_probability: chosen.flip_probability ?? (image ? IMAGE_VIEWS.flip : undefined),
  };
}

/** Throws InputError for what only images can be told. */
export function checkViews(changes: ViewChanges, { spec }: Pick<RunFacts, 'spec'>): void {
  if (isImage(spec)) return;
  for (const key of ['smallest_crop', 'flip_probability'] as const) {
    if (changes[key] === undefined) continue;
    throw new InputError(
      `objective.${key}: is for images, and these records are none; leave it out, or set drop_ratio, swap_ratio or noise_deviation`,
    );
  }
}

const viewOptions = (changes: ViewChanges, count: number): ViewOptions => ({
  count,
  drop: changes.drop_ratio,
  swap: changes.swap_ratio,
  noise: changes.noise_deviation,
  image: {
    ...(changes.smallest_crop !== undefined && { area: [changes.smallest_crop, 1] }),
    ...(changes.flip_probability !== undefined && { flip: changes.flip_probability }),
  },
});

const PREFIX = 'view_';
const DROPPED = 'view_dropped';

/** The noise that is `count` views of each record, stacked view by view. */
export const viewNoise = (
  { drop_ratio }: ViewChanges,
  spec: TokenSpec,
  { size, tokens }: BatchShape,
  count: number,
): Record<string, NoiseType> => ({
  ...tokenTypes(spec, count * size, tokens, PREFIX),
  ...(drop_ratio > 0 && { [DROPPED]: { dtype: 'bool', shape: [count * size, tokens] } }),
});

/** Tokens that are exchanged come from other records, so views are then of the whole batch; see `Objective.byRecord`. */
export const viewsByRecord = ({ swap_ratio }: ViewChanges): 'noise and loss' | 'loss' =>
  swap_ratio === 0 ? 'noise and loss' : 'loss';

/** Draws the noise that {@link viewNoise} declares; each row has its own random numbers. */
export function drawViewNoise(
  changes: ViewChanges,
  spec: TokenSpec,
  batch: Batch,
  count: number,
  source: (purpose: string, row: number) => Random,
): Record<string, HostTensor> {
  const { dropped, ...views } = drawViews(spec, batch, viewOptions(changes, count), source);
  const size = count * batch.size;
  return {
    ...tokenFeeds({ ...views, size, tokens: batch.tokens }, PREFIX),
    ...(changes.drop_ratio > 0 && { [DROPPED]: hostTensor('bool', [size, batch.tokens], dropped) }),
  };
}

/** What the encoder makes of the views of the whole batch, in one pass: float32[count · rows, width], view by view. */
export function encodeViews(
  changes: ViewChanges,
  {
    spec,
    shape,
    noise,
    encode,
    across,
  }: Pick<ObjectiveInputs, 'spec' | 'shape' | 'noise' | 'encode' | 'across'>,
  count: number,
): Value {
  const tokens = tokenInputs(spec, count * shape.size, shape.tokens, PREFIX);
  if (changes.drop_ratio === 0) return across(encode({ tokens }).pooled, count);
  const visible = shape.tokens - droppedCount(spec, shape.tokens, viewOptions(changes, count));
  return across(encode({ tokens, hiding: { choose: () => noise[DROPPED], visible } }).pooled, count);
}

/** float32[size, …] once for each of `count` views: float32[count · size, …]. */
export const stackedCopies = (x: Value, count: number): Value =>
  concatenate(
    Array.from({ length: count }, () => x),
    0,
  );

/** The parts of float32[count · size, …] that belong to each view: float32[size, …] each. */
export function splitViews(x: Value, count: number): Value[] {
  const size = staticSize(x.shape[0]) / count;
  return Array.from({ length: count }, (_, view) => slice(x, 0, view * size, (view + 1) * size));
}

/** The sizes of projector and predictor. */
export interface ProjectionOptions {
  /** Hidden channels of projector and predictor. */
  readonly projector_width: number;
  /** Channels of the vectors that are compared. */
  readonly projection_width: number;
}

/** Their declarations. */
export const projectionOptions: Objective<ProjectionOptions>['options'] = {
  projector_width: {
    type: z.int().min(1),
    description: 'hidden width of projector and predictor',
    example: 512,
  },
  projection_width: { type: z.int().min(1), description: 'width of the compared vectors', example: 128 },
};

/** All of them, for an encoder of so many channels. */
export const projectionDefaults = (width: number, chosen: Partial<ProjectionOptions>): ProjectionOptions => ({
  projector_width: chosen.projector_width ?? 4 * width,
  projection_width: chosen.projection_width ?? width,
});

/** What stands between the two layers of a projector: float32[rows, channels] to the same. */
export type Normalization = (x: Value) => Value;

/** Batch norm over the rows that count, float32[rows] of 0 and 1; in evaluation by the running moments. */
export const batchNormOver =
  (rows: Value, training: boolean): Normalization =>
  (x) =>
    batchNorm('norm', x, { training, real: reshape(rows, [rows.shape[0], 1]) });

/** Layer norm, with which each row is projected alone. */
export const layerNormalization: Normalization = (x) => layerNorm('norm', x);

/** linear → norm → ReLU → linear: float32[rows, width] → float32[rows, projection_width]. */
export const project = (
  name: string,
  x: Value,
  options: ProjectionOptions,
  normalize: Normalization,
): Value =>
  scope(name, () => {
    const hidden = relu(normalize(linear('hidden', x, options.projector_width, { bias: false })));
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

/** How a target network follows the trained one. */
export interface TargetNetworkOptions {
  /** Momentum of the target network at the first step. */
  readonly target_momentum: number;
}

/** Its declaration, 0 to 1. */
export const targetMomentum: Option<number> = {
  type: z.number().min(0).max(1),
  description: 'momentum of the target network at the first step; it rises to 1',
  example: 0.996,
};

/** The momentum of BYOL's target network: from `base` at the start along half a cosine to 1 at the end of the run. */
export const cosineMomentum = (base: number, progress: number): number =>
  1 - ((1 - base) * (1 + Math.cos(Math.PI * progress))) / 2;
