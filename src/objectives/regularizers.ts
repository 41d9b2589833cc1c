/**
 * Terms on the embeddings of a batch that any objective can be given: one against a collapse into few directions, one
 * that stirs. They are those of MSBReg (WACV 2023) as far as its abstract tells them: the formulas here are our own.
 */
import { z } from 'zod';
import {
  add,
  divide,
  matmul,
  multiply,
  negate,
  reshape,
  scalar,
  slice,
  staticSize,
  subtract,
  sum,
  sumAll,
  type Value,
} from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import type { Batch } from '../records/batch.js';
import type { Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { unit } from './joint-embedding.js';
import type { BatchShape, Objective } from './objective.js';

export interface RegularizerOptions {
  /** Weight of {@link singularValueLoss}. */
  readonly singular_value_weight?: number;
  /** Weight of {@link diffusiveLoss}. */
  readonly diffusive_weight?: number;
}

const weight = z.number().min(0).optional();

export const regularizerOptions: Objective<RegularizerOptions>['options'] = {
  singular_value_weight: {
    type: weight,
    description: 'weight of the term that makes embeddings fill all directions alike',
    example: 1,
  },
  diffusive_weight: {
    type: weight,
    description: 'weight of the term that pushes each embedding in a random direction',
    example: 0.1,
  },
};

/**
 * How far the singular values of the embeddings float32[size, width] of the rows that count are from being alike: with C
 * the covariance of the embeddings scaled to length 1, width · ‖C − I / width‖², from 0 where they are spread evenly over all
 * directions. It is 1 where all embeddings are one, and width − 1 where they lie on one line, half of them each way. With
 * fewer rows than channels it stays above 0.
 */
export function singularValueLoss(embeddings: Value, rows: Value): Value {
  const width = staticSize(embeddings.shape[1]);
  const count = sumAll(rows);
  const weights = reshape(rows, [rows.shape[0], 1]);
  const directions = unit(embeddings);
  const centre = divide(sum(multiply(directions, weights), [0]), count);
  const centred = multiply(subtract(directions, centre), weights);
  const covariance = divide(matmul(centred, centred, { transposeA: true }), count);
  const variance = divide(sumAll(multiply(centred, centred)), count);
  const squares = multiply(sumAll(multiply(covariance, covariance)), scalar(width));
  return add(subtract(squares, multiply(variance, scalar(2))), scalar(1));
}

/**
 * −mean ⟨direction, step⟩ over the rows that count, of embeddings float32[size, width] scaled to length 1 and random steps
 * float32[size, width] of length 1: its gradient moves each embedding at random, so that near ones drift apart.
 */
export const diffusiveLoss = (embeddings: Value, steps: Value, rows: Value): Value =>
  negate(weightedMean(sum(multiply(unit(embeddings), steps), [-1]), rows).mean);

const STEPS = 'diffusive_steps';

/** float32[size, width]: a random direction for each row. */
export function randomDirections(
  { size, width }: Pick<BatchShape, 'size' | 'width'>,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const data = new Float32Array(size * width);
  for (let row = 0; row < batch.rows; row++) {
    const { normal } = source(STEPS, row);
    const direction = Float64Array.from({ length: width }, normal);
    const length = Math.hypot(...direction);
    data.set(
      direction.map((value) => value / length),
      row * width,
    );
  }
  return hostTensor('float32', [size, width], data);
}

/**
 * The objective with both terms, on the mean states that its first pass of the encoder gives each record (of views: the
 * first of them). Without weights, the default, it is the objective itself.
 */
export const regularized = <O extends object>(
  objective: Objective<O>,
): Objective<O & RegularizerOptions> => ({
  ...objective,
  options: { ...objective.options, ...regularizerOptions } as Objective<O & RegularizerOptions>['options'],
  defaults: (spec, encoder, chosen) => ({
    ...objective.defaults(spec, encoder, chosen),
    singular_value_weight: chosen.singular_value_weight,
    diffusive_weight: chosen.diffusive_weight,
  }),
  noise: (options, spec, shape) => ({
    ...objective.noise(options, spec, shape),
    ...(options.diffusive_weight && {
      [STEPS]: { dtype: 'float32', shape: [shape.size, shape.width] },
    }),
  }),
  draw: (options, spec, shape, batch, progress, source) => ({
    ...objective.draw(options, spec, shape, batch, progress, source),
    ...(options.diffusive_weight && { [STEPS]: randomDirections(shape, batch, source) }),
  }),
  build(options, inputs) {
    const { singular_value_weight, diffusive_weight } = options;
    if (!singular_value_weight && !diffusive_weight) return objective.build(options, inputs);
    const pooled: Value[] = [];
    const outputs = objective.build(options, {
      ...inputs,
      encode(given) {
        const encoding = inputs.encode(given);
        pooled.push(encoding.pooled);
        return encoding;
      },
    });
    const { rows, noise, shape } = inputs;
    const embeddings = slice(pooled[0], 0, 0, shape.size);
    const terms = {
      ...(singular_value_weight && {
        singular_value_loss: {
          value: singularValueLoss(embeddings, rows),
          weight: singular_value_weight,
        },
      }),
      ...(diffusive_weight && {
        diffusive_loss: { value: diffusiveLoss(embeddings, noise[STEPS], rows), weight: diffusive_weight },
      }),
    };
    return {
      ...outputs,
      loss: Object.values(terms).reduce(
        (total, { value, weight }) => add(total, multiply(value, scalar(weight))),
        outputs.loss,
      ),
      metrics: {
        ...outputs.metrics,
        ...Object.fromEntries(Object.entries(terms).map(([name, { value }]) => [name, value])),
      },
    };
  },
});
