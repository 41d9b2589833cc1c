/** For tests of losses on views: the vectors that a loss stands on, built beside it, and sums over them in plain loops. */
import { type EncoderKind, encoderNamed } from '../encoders/index.js';
import { evaluate, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input, sharingLeaves, type Value } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { RealRecords } from '../tokenizers/real-records.case.js';
import type { ObjectiveKind, ObjectiveOptions } from './index.js';
import { type ProjectionOptions, projectionDefaults } from './joint-embedding.js';
import { smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });

/** Rows of a batch, of which the last only fills it up. */
export const ROWS = 6;
export const RECORDS = ROWS - 1;

interface Pieces {
  readonly options: ProjectionOptions;
  /** float32[ROWS]: 1 for a record. */
  readonly rows: Value;
  /** float32[count · ROWS, width]: what the encoder makes of the views, view by view. */
  readonly views: (count: number) => Value;
  /** float32[ROWS, width]: what it makes of the records themselves. */
  readonly whole: () => Value;
}

interface Setting {
  readonly kind: ObjectiveKind;
  readonly options?: ObjectiveOptions;
  readonly encoder?: EncoderKind;
  readonly progress?: number;
  /** Noise in place of what is drawn. */
  readonly noise?: Readonly<Record<string, HostTensor>>;
}

/**
 * The loss, weight and metrics of an objective on five records, the inputs, and the rows of the vectors that `build` makes of
 * the same inputs and parameters.
 */
export async function lossAndVectors<K extends string>(
  { tokenizer: { spec }, block }: RealRecords,
  { kind, options = {}, encoder = 'perceiver', progress = 0, noise = {} }: Setting,
  build: (pieces: Pieces) => Record<K, Value>,
) {
  const model = smallModel(spec, kind, { drop_ratio: 0.4, ...options }, encoder);
  const tokens = spec.maxTokens;
  const built = sharingLeaves(() =>
    build({
      options: projectionDefaults(model.encoder.width, model.objective),
      rows: input('rows', 'float32', [ROWS]),
      views(count) {
        const dropped = input('view_dropped', 'bool', [count * ROWS, tokens]);
        const hiding = { choose: () => dropped, visible: tokens };
        const views = tokenInputs(spec, count * ROWS, tokens, 'view_');
        return encoderNamed(encoder).encode(spec, views, model.encoder, { hiding }).pooled;
      },
      whole: () => encoderNamed(encoder).encode(spec, tokenInputs(spec, ROWS, tokens), model.encoder).pooled,
    }),
  );
  const { loss, weight, marginalLoss, metrics } = pretrainingGraph(model, batchShape(model, ROWS, tokens));
  const batch = packBatch(block, [1, 7, 3, 12, 9], ROWS, tokens);
  const feeds = {
    ...batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress }),
    ...noise,
  };
  const given = { ...ordinaryParameters([loss]), ...feeds };
  const scalars: Record<string, Value> = {
    loss,
    weight,
    ...(marginalLoss && { marginal_loss: marginalLoss }),
    ...metrics,
  };
  const [numbers, vectors] = [await evaluate(engine, scalars, given), await evaluate(engine, built, given)];
  return {
    feeds,
    numbers: Object.fromEntries(Object.entries(numbers).map(([name, [value]]) => [name, value])),
    vectors: Object.fromEntries(
      Object.entries<number[]>(vectors).map(([name, values]) => [
        name,
        rowsOf(values, built[name as K].shape[1] as number),
      ]),
    ) as Record<K, number[][]>,
  };
}

/** The rows of float32[rows, width]. */
export const rowsOf = (values: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, row) =>
    Array.from({ length: width }, (_, c) => values[row * width + c]),
  );

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;

const dot = (u: readonly number[], v: readonly number[]): number => sumOf(u.map((value, c) => value * v[c]));

export const scaled = (u: readonly number[]): number[] => u.map((value) => value / Math.hypot(...u));

export const cosine = (u: readonly number[], v: readonly number[]): number => dot(scaled(u), scaled(v));

/** The records of each view among rows that are stacked view by view, without those that only fill the batch up. */
export const recordsOfViews = (vectors: readonly number[][], count: number): number[][][] =>
  Array.from({ length: count }, (_, view) => vectors.slice(view * ROWS, view * ROWS + RECORDS));

/** 2 − 2 cos. */
export const distance = (u: readonly number[], v: readonly number[]): number => 2 - 2 * cosine(u, v);

/** The mean over the records of what each view's prediction is from the target of the other, both directions added up. */
export function exchangedDistance(predicted: readonly number[][], targets: readonly number[][]): number {
  const [first, second] = recordsOfViews(predicted, 2);
  const [firstTarget, secondTarget] = recordsOfViews(targets, 2);
  return meanOf(
    first.map((u, row) => distance(u, secondTarget[row]) + distance(second[row], firstTarget[row])),
  );
}

/** width · ‖C − I / width‖² of the covariance C of the directions of vectors. */
export function singularValueLossOf(vectors: readonly number[][]): number {
  const directions = vectors.map(scaled);
  const columns = directions[0].map((_, c) => directions.map((direction) => direction[c]));
  const width = columns.length;
  const covariance = (a: number[], b: number[]) =>
    meanOf(a.map((value, i) => (value - meanOf(a)) * (b[i] - meanOf(b))));
  return (
    width *
    sumOf(
      columns.flatMap((first, a) =>
        columns.map((second, b) => (covariance(first, second) - (a === b ? 1 / width : 0)) ** 2),
      ),
    )
  );
}

/** Minus the mean cosine of vectors with steps of length 1. */
export const diffusiveLossOf = (vectors: readonly number[][], steps: readonly number[][]): number =>
  -meanOf(vectors.map((vector, row) => dot(scaled(vector), steps[row])));
