/**
 * Terms on the embeddings of a batch that any objective can be given: one against a collapse into few directions, one
 * that stirs, and, where a record is seen in several views, one that pulls these together. They are those of MSBReg (WACV
 * 2023) as far as its abstract tells them: the formulas here are our own.
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
  staticSize,
  stopGradient,
  subtract,
  sum,
  sumAll,
  type Value,
} from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import type { Batch } from '../records/batch.js';
import type { Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { cosineDistance, splitViews, unit } from './joint-embedding.js';
import type { BatchShape, Objective, ObjectiveInputs, ObjectiveOutputs } from './objective.js';
import { wholeMeans } from './whole-batch.js';

/** The weights of terms against collapse; none by default. */
export interface RegularizerOptions {
  /** Weight of {@link singularValueLoss}. */
  readonly singular_value_weight?: number;
  /** Weight of {@link diffusiveLoss}. */
  readonly diffusive_weight?: number;
}

/** For objectives that see a record in several views. */
export interface ViewRegularizerOptions {
  /** Weight of {@link centroidLoss}. */
  readonly centroid_weight?: number;
}

const weight = z.number().min(0).optional();

/** Their declarations. */
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

const viewRegularizerOptions: Objective<ViewRegularizerOptions>['options'] = {
  centroid_weight: {
    type: weight,
    description: "weight of the term that pulls the embeddings of a record's views to their centroid",
    example: 1,
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
 * How far the predictions float32[count · size, width], view by view, are from the centroid of the record's targets, both
 * scaled to length 1: 2 − 2 cos, the mean over the views, float32[size] from 0 to 4. It is the distance of the centroids
 * and how the predictions scatter about theirs.
 */
export function centroidLoss(predictions: Value, targets: Value, count: number): Value {
  const centroid = splitViews(unit(targets), count).reduce(add);
  const distances = splitViews(predictions, count).map((view) => cosineDistance(view, centroid));
  return divide(distances.reduce(add), scalar(count));
}

/**
 * −mean ⟨direction, step⟩ over the rows that count, of embeddings float32[size, width] scaled to length 1 and random steps
 * float32[size, width] of length 1: its gradient moves each embedding at random, so that near ones drift apart.
 */
export const diffusiveLoss = (embeddings: Value, steps: Value, rows: Value): Value =>
  negate(weightedMean(sum(multiply(unit(embeddings), steps), [-1]), rows).mean);

/** The noise that {@link diffusiveLoss} wants: see {@link randomDirections}. */
export const DIFFUSIVE_STEPS = 'diffusive_steps';

/** float32[size, width]: a random direction for each row. */
export function randomDirections(
  { size, width }: Pick<BatchShape, 'size' | 'width'>,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const data = new Float32Array(size * width);
  for (let row = 0; row < batch.rows; row++) {
    const { normal } = source(DIFFUSIVE_STEPS, row);
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
 * The objective with these terms, on the mean states that its first pass of the encoder gives each record; of views on those
 * of the first, but for the centroid of all. Without weights, the default, it is the objective itself.
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
      [DIFFUSIVE_STEPS]: { dtype: 'float32', shape: [shape.size, shape.width] },
    }),
  }),
  draw: (options, spec, shape, batch, progress, source) => ({
    ...objective.draw(options, spec, shape, batch, progress, source),
    ...(options.diffusive_weight && { [DIFFUSIVE_STEPS]: randomDirections(shape, batch, source) }),
  }),
  build: (options, inputs) =>
    withTerms(objective, options, inputs, {
      singular_value_loss: [
        options.singular_value_weight,
        (seen) => singularValueLoss(firstView(seen), seen.rows),
      ],
      diffusive_loss: [
        options.diffusive_weight,
        (seen) => diffusiveLoss(firstView(seen), inputs.across(inputs.noise[DIFFUSIVE_STEPS]), seen.rows),
      ],
    }),
});

/** An objective whose first pass encodes several views of each record, with the term that pulls them together as well. */
export const regularizedViews = <O extends object>(
  objective: Objective<O>,
): Objective<O & RegularizerOptions & ViewRegularizerOptions> => {
  const whole = regularized(objective);
  type Options = O & RegularizerOptions & ViewRegularizerOptions;
  return {
    ...whole,
    options: { ...whole.options, ...viewRegularizerOptions } as Objective<Options>['options'],
    defaults: (spec, encoder, chosen) => ({
      ...whole.defaults(spec, encoder, chosen),
      centroid_weight: chosen.centroid_weight,
    }),
    build: (options, inputs) =>
      withTerms(whole, options, inputs, {
        centroid_loss: [
          options.centroid_weight,
          ({ pooled, rows, views }) =>
            weightedMean(centroidLoss(pooled, stopGradient(pooled), views), rows).mean,
        ],
      }),
  };
};

/** What the first pass of an encoder made of a whole batch. */
interface Seen {
  /** float32[views · size, width]: mean states, view by view. */
  readonly pooled: Value;
  /** float32[size]: 1 for a record. */
  readonly rows: Value;
  readonly views: number;
}

const firstView = ({ pooled, views }: Seen): Value => splitViews(pooled, views)[0];

/** A weight, and what it weighs: left out without a weight. */
type Term = readonly [weight: number | undefined, value: (seen: Seen) => Value];

/** What an objective gives, with terms added to its loss and logged. All of the loss is then that of the whole batch. */
function withTerms<O extends object>(
  objective: Objective<O>,
  options: O,
  inputs: ObjectiveInputs,
  all: Readonly<Record<string, Term>>,
): ObjectiveOutputs {
  const encoded: Value[] = [];
  const outputs = objective.build(options, {
    ...inputs,
    encode(given) {
      const encoding = inputs.encode(given);
      encoded.push(encoding.pooled);
      return encoding;
    },
  });
  const terms = Object.entries(all).filter(([, [weight]]) => weight);
  if (terms.length === 0) return outputs;
  const views = staticSize(encoded[0].shape[0]) / inputs.shape.size;
  const seen = { pooled: inputs.across(encoded[0], views), rows: inputs.across(inputs.rows), views };
  const whole = wholeMeans(inputs, outputs);
  let { loss, metrics } = whole;
  for (const [name, [weight = 0, value]] of terms) {
    const term = value(seen);
    loss = add(loss, multiply(term, scalar(weight)));
    metrics = { ...metrics, [name]: term };
  }
  return { ...whole, loss, metrics };
}
