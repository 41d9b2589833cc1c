import { type BoostedTreesOptions, fitBoostedTrees } from '../numerics/boosted-trees.js';
import { gatherRows } from '../numerics/matrix.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import type { Probe, TrainingRows } from './protocol.js';

/** The grid: the depth of the trees, and after how many rounds to stop, of one fit for each depth. */
const DEPTHS = [4, 6] as const;
const ROUNDS = [50, 100, 200, 400] as const;

const SETTINGS = { learningRate: 0.1, minChildWeight: 1, l2: 1, bins: 256, seed: 0 } as const;

/**
 * Gradient-boosted trees ({@link fitBoostedTrees}) per target, each on the rows that have it, or for all classes together.
 * One depth and one number of rounds for all targets. A target without a label in the training part gives 0; a class
 * that training lacks is never predicted.
 */
export const boostedTrees = function* (train, spec) {
  for (const depth of DEPTHS) {
    const predict = fitters[spec.task](train, spec, {
      ...SETTINGS,
      maxDepth: depth,
      rounds: Math.max(...ROUNDS),
    });
    for (const rounds of ROUNDS) {
      yield { chosen: { depth, rounds }, predict: (features) => predict(features, rounds) };
    }
  }
} satisfies Probe;

/** Outputs float64[m, spec.outputs] of features float32[m, dimension] after so many rounds. */
type StagedPredict = (features: Float32Array, rounds: number) => Float64Array;

type Fit = (train: TrainingRows, spec: LabelSpec, options: BoostedTreesOptions) => StagedPredict;

const perTarget =
  (loss: 'squared' | 'logistic'): Fit =>
  ({ features, dimension, labels, count }, { targets }, options) => {
    const models = Array.from({ length: targets }, (_, target) => {
      const rows: number[] = [];
      for (let row = 0; row < count; row++) {
        if (!Number.isNaN(labels[row * targets + target])) rows.push(row);
      }
      if (rows.length === 0) return undefined;
      const own = {
        dimension,
        features: gatherRows(new Float32Array(rows.length * dimension), features, rows, dimension),
        labels: Float64Array.from(rows, (row) => labels[row * targets + target]),
      };
      return fitBoostedTrees(own, loss, options);
    });
    return (given, rounds) => {
      const out = new Float64Array((given.length / dimension) * targets);
      models.forEach((model, target) => {
        model?.predict(given, rounds).forEach((value, row) => {
          out[row * targets + target] = value;
        });
      });
      return out;
    };
  };

const overClasses: Fit = ({ features, dimension, labels }, { outputs }, options) => {
  const present = [...new Set(labels)].sort((a, b) => a - b);
  const index = new Map(present.map((label, i) => [label, i]));
  const numbered = labels.map((label) => index.get(label)!);
  const classes = present.length;
  const model = fitBoostedTrees({ features, dimension, labels: numbered }, 'softmax', {
    ...options,
    classes,
  });
  return (given, rounds) => {
    const out = new Float64Array((given.length / dimension) * outputs).fill(Number.NEGATIVE_INFINITY);
    model.predict(given, rounds).forEach((logit, i) => {
      out[Math.floor(i / classes) * outputs + present[i % classes]] = logit;
    });
    return out;
  };
};

const fitters: Record<Task, Fit> = {
  regression: perTarget('squared'),
  binary: perTarget('logistic'),
  multilabel: perTarget('logistic'),
  multiclass: overClasses,
  'per-token': overClasses,
};
