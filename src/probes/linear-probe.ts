import type { Engine } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import {
  fitStandardization,
  type LinearModel,
  type Standardization,
  stackModels,
  standardize,
} from '../numerics/linear-model.js';
import { logistic } from '../numerics/logistic.js';
import { dot, gatherRows } from '../numerics/matrix.js';
import { engineIfLarge } from '../numerics/matrix-product.js';
import { type PrincipalRows, principalRows } from '../numerics/principal-axes.js';
import { ridge } from '../numerics/ridge.js';
import { sparseRidge, sparseRows } from '../numerics/sparse-ridge.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import { type LinearFitted, predictFitted } from './fitted-model.js';
import type { Probe, TrainingRows } from './protocol.js';

/** Strengths of the L2 penalty λ, per record and for standardised features, strongest first. */
const REGULARIZATION = [10, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5] as const;

/**
 * Linear probe: features standardised by the training part, then ridge regression, or logistic regression per target,
 * or softmax regression. One λ of {@link REGULARIZATION} for all targets.
 */
export const linearProbe: Probe = async function* (train, spec, engine) {
  const standardization = fitStandardization(train.features, train.dimension);
  const size = {
    rows: train.count,
    columns: train.dimension,
    density: densityOf(train.features),
    labels: spec,
  };
  const solve = takesConjugateGradients(size)
    ? sparsePerTarget(train, standardization, spec)
    : fitters[spec.task]({ ...train, features: standardize(standardization, train.features) }, spec, engine);
  for await (const { regularization, model } of solutions(solve)) {
    const fitted: LinearFitted = { kind: 'linear', standardization, linear: model };
    yield {
      chosen: { regularization },
      model: fitted,
      predict: (features) => predictFitted(fitted, features),
    };
  }
};

/** What a linear model is fitted to. */
export interface LinearSize {
  readonly rows: number;
  readonly columns: number;
  /** Share of the numbers that are not 0. */
  readonly density: number;
  readonly labels: Pick<LabelSpec, 'task' | 'outputs'>;
}

/** Passes over the records that a logistic regression takes, about; and operations of an eigendecomposition of n axes, as a part of n³. */
const [ITERATIONS, AXES] = [50, 15];

/** Operations of principal axes, of columns or of rows where those are fewer, and of the passes of a regression on them. */
function axesCost({ rows, columns, labels: { outputs } }: LinearSize): number {
  const axes = Math.min(rows, columns);
  return rows * columns * Math.max(axes, ITERATIONS * outputs) + AXES * axes ** 3;
}

/** Above so many operations, values are learned by conjugate gradients where numbers are mostly 0. */
const MOST_FOR_AXES = 1e11;
/** Twice the products of all penalties, about, and how much slower a number is reached one by one. */
const GRADIENT_PASSES = 3000;
const SCATTERED = 4;

const gradientCost = ({ rows, columns, density, labels: { outputs } }: LinearSize): number =>
  rows * columns * density * outputs * GRADIENT_PASSES * SCATTERED;

const takesConjugateGradients = (size: LinearSize): boolean =>
  size.labels.task === 'regression' &&
  axesCost(size) > MOST_FOR_AXES &&
  gradientCost(size) < axesCost(size) / 2;

/** Operations of one fit, about. */
export const linearCost = (size: LinearSize): number =>
  takesConjugateGradients(size) ? gradientCost(size) : axesCost(size);

/** Share of the numbers that are not 0; missing ones are not. */
export function densityOf(values: Float32Array): number {
  let others = 0;
  for (const value of values) if (value !== 0) others++;
  return others / Math.max(1, values.length);
}

type Fit = (lambda: number) => LinearModel | Promise<LinearModel>;

/**
 * The models of a grid. The weaker the penalty, the longer the way to the optimum: before the first that is not reached,
 * which is told by a LacunaError, the grid ends. Throws that error where it is the first of all.
 */
export async function* solutions(
  solve: Fit,
  grid: readonly number[] = REGULARIZATION,
): AsyncGenerator<{ readonly regularization: number; readonly model: LinearModel }> {
  for (const regularization of grid) {
    let model: LinearModel;
    try {
      model = await solve(regularization);
    } catch (error) {
      if (error instanceof LacunaError && regularization < grid[0]) return;
      throw error;
    }
    yield { regularization, model };
  }
}

const fitters: Record<Task, (train: TrainingRows, spec: LabelSpec, engine?: Engine) => Fit> = {
  regression: ridgePerTarget,
  binary: logisticPerTarget,
  multilabel: logisticPerTarget,
  multiclass: softmax,
  'per-token': softmax,
};

function ridgePerTarget(train: TrainingRows, spec: LabelSpec): Fit {
  const { features, dimension } = train;
  let all: PrincipalRows | undefined;
  return perTarget(train, spec, (labels) => {
    const rows: number[] = [];
    labels.forEach((label, row) => {
      if (!Number.isNaN(label)) rows.push(row);
    });
    if (rows.length === labels.length) {
      all ??= principalRows(features, dimension);
      return ridge(all, labels);
    }
    const x = gatherRows(new Float32Array(rows.length * dimension), features, rows, dimension);
    return ridge(principalRows(x, dimension), gatherRows(new Float64Array(rows.length), labels, rows, 1));
  });
}

/** The same of features that are not standardised yet, by conjugate gradients on those that are not 0. */
function sparsePerTarget(train: TrainingRows, standardization: Standardization, spec: LabelSpec): Fit {
  const { features, dimension } = train;
  const shift = standardization.mean.map((value, j) => value * standardization.scale[j]);
  return perTarget(train, spec, (labels) => {
    const known = Array.from(labels.keys()).filter((row) => !Number.isNaN(labels[row]));
    const all = known.length === labels.length;
    const x = all
      ? features
      : gatherRows(new Float32Array(known.length * dimension), features, known, dimension);
    const y = all ? labels : gatherRows(new Float64Array(known.length), labels, known, 1);
    const solve = sparseRidge(sparseRows(x, standardization), dimension, y);
    return (lambda) => {
      const { weights, bias } = solve(lambda);
      return { dimension, weights, bias: bias.map((value) => value + dot(weights, shift)) };
    };
  });
}

function logisticPerTarget(train: TrainingRows, spec: LabelSpec): Fit {
  const { features, dimension } = train;
  // The axes only steer the solver, so those of all rows serve every target, whichever labels it lacks.
  const rows = principalRows(features, dimension);
  return perTarget(train, spec, (labels) => {
    if (labels.includes(0) && labels.includes(1)) return logistic(rows, labels, 1);
    // One class only: the optimum lies at infinity. Say that class, always.
    const constant = constantModel(dimension, labels.includes(1) ? 1 : -1);
    return () => constant;
  });
}

/** Fits each target by itself; one that has no label in the training part gives 0. */
function perTarget(
  { labels, count, dimension }: TrainingRows,
  { targets }: LabelSpec,
  fitter: (labels: Float64Array) => Fit,
): Fit {
  const zero = constantModel(dimension, 0);
  const fits: Fit[] = [];
  for (let target = 0; target < targets; target++) {
    const own = Float64Array.from({ length: count }, (_, row) => labels[row * targets + target]);
    fits.push(own.every(Number.isNaN) ? () => zero : fitter(own));
  }
  return async (lambda) => {
    const models: LinearModel[] = [];
    for (const solve of fits) models.push(await solve(lambda));
    return stackModels(models);
  };
}

/** Softmax over the classes the training part has; the others are never predicted (bias −∞). */
function softmax(
  { features, labels, dimension, count }: TrainingRows,
  { outputs: classes }: LabelSpec,
  engine?: Engine,
): Fit {
  const present = [...new Set(labels)].sort((a, b) => a - b);
  const index = new Map(present.map((label, i) => [label, i]));
  const numbered = labels.map((label) => index.get(label)!);
  // One class only: there is nothing to fit, and any finite bias says it.
  const only = constantModel(dimension, 0);
  const width = present.length;
  const solve: Fit =
    width === 1
      ? () => only
      : logistic(
          principalRows(features, dimension),
          numbered,
          width,
          engineIfLarge(engine, count * dimension * width),
        );
  return async (lambda) => {
    const fitted = await solve(lambda);
    const weights = new Float64Array(classes * dimension);
    const bias = new Float64Array(classes).fill(Number.NEGATIVE_INFINITY);
    present.forEach((label, i) => {
      weights.set(fitted.weights.subarray(i * dimension, (i + 1) * dimension), label * dimension);
      bias[label] = fitted.bias[i];
    });
    return { dimension, weights, bias };
  };
}

function constantModel(dimension: number, value: number): LinearModel {
  return { dimension, weights: new Float64Array(dimension), bias: Float64Array.of(value) };
}
