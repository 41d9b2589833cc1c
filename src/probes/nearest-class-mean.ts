import { InputError } from '../errors.js';
import { applyLinear, type LinearModel, stackModels } from '../numerics/linear-model.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import type { Probe, TrainingRows } from './protocol.js';

/**
 * Nearest class mean by Euclidean distance (Mensink et al., TPAMI 2013), on the features as they are.
 * Nothing to choose, so validation only measures. ‖x − μ‖² differs from −2 (μ·x − ‖μ‖²/2) by the same ‖x‖² for every
 * class, so this is a linear model. Throws InputError for regression, which has no classes.
 */
export const nearestClassMeanProbe = function* (train, spec) {
  const model = models[spec.task](train, spec);
  yield { chosen: {}, predict: (features) => applyLinear(model, features) };
} satisfies Probe;

const models: Record<Task, (train: TrainingRows, spec: LabelSpec) => LinearModel> = {
  regression() {
    throw new InputError(
      'nearest class mean needs classes, got a regression task: try linear or nearest-neighbors',
    );
  },
  binary: yesOrNo,
  multilabel: yesOrNo,
  multiclass: closestClass,
  'per-token': closestClass,
};

function closestClass(train: TrainingRows, { outputs }: LabelSpec): LinearModel {
  return stackModels(Array.from({ length: outputs }, (_, label) => closeness(train, 1, 0, label)));
}

/** Per target how much closer the mean of yes is than that of no; 0 where training lacks one of them. */
function yesOrNo(train: TrainingRows, { targets }: LabelSpec): LinearModel {
  const answers: LinearModel[] = [];
  for (let target = 0; target < targets; target++) {
    const yes = closeness(train, targets, target, 1);
    const no = closeness(train, targets, target, 0);
    const both = Number.isFinite(yes.bias[0]) && Number.isFinite(no.bias[0]);
    answers.push({
      dimension: train.dimension,
      weights: yes.weights.map((weight, j) => (both ? weight - no.weights[j] : 0)),
      bias: Float64Array.of(both ? yes.bias[0] - no.bias[0] : 0),
    });
  }
  return stackModels(answers);
}

/** x ↦ μ·x − ‖μ‖²/2 for the mean μ of the rows with this label; −∞ when there are none. */
function closeness(
  { features, labels, count, dimension }: TrainingRows,
  targets: number,
  target: number,
  label: number,
): LinearModel {
  const mean = new Float64Array(dimension);
  let members = 0;
  for (let row = 0; row < count; row++) {
    if (labels[row * targets + target] !== label) continue;
    members++;
    for (let j = 0; j < dimension; j++) mean[j] += features[row * dimension + j];
  }
  if (members === 0) return { dimension, weights: mean, bias: Float64Array.of(Number.NEGATIVE_INFINITY) };
  let squares = 0;
  for (let j = 0; j < dimension; j++) {
    mean[j] /= members;
    squares += mean[j] ** 2;
  }
  return { dimension, weights: mean, bias: Float64Array.of(-squares / 2) };
}
