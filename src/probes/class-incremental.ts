import { Matrix, solve } from 'ml-matrix';
import { softmax } from '../numerics/softmax.js';
import { permutation, random } from '../tensor/random.js';
import type { Protocol } from './protocol.js';

/** Steps in which the classes arrive, at most. */
const STEPS = 5;

/** Records of the classes of one step: features float32[n, dimension], and the number of the class of each. */
interface Arrived {
  readonly features: Float32Array;
  readonly labels: Float64Array;
}

/** Learns from the records of one step after another, of which it keeps none, and knows the classes that it has seen. */
interface Learner {
  learn(arrived: Arrived): void;
  /** float64[n, classes]: larger for likelier classes; −∞ for those that it has not seen. */
  outputs(features: Float32Array): Float64Array;
}

/** What a learner is told beforehand: no more than how large features are, and how many classes there will be. */
type Begin = (dimension: number, classes: number) => Learner;

/**
 * Classes that arrive in at most five steps, on frozen features (class-incremental learning), by four learners that keep no record:
 * means of the classes (Janson et al. 2022), streaming linear discriminant analysis (Hayes & Kanan 2020), streaming ridge
 * regression (the same weights in whatever order records come), and a linear head that is trained on each step's classes alone. Features
 * are shifted and divided by the mean and the deviation of the first step, one deviation for all of them. Of each learner the accuracy on the test part after the last step, and the forgetting on the
 * validation part: how much of its best accuracy on the classes of an earlier step is lost by then, the mean over steps (Chaudhry et al. 2018).
 */
export const classIncremental: Protocol['run'] = async function* ({
  parts: { train, valid, test },
  dimension,
  spec,
}) {
  const classes = spec.classes[0].length;
  const steps = Math.min(STEPS, classes);
  const stepOf = (label: number) => Math.floor((label * steps) / classes);
  const pick = ({ records, labels }: typeof train, wanted: (step: number) => boolean): Arrived => {
    const rows = [...labels.keys()].filter(
      (row) => !Number.isNaN(labels[row]) && wanted(stepOf(labels[row])),
    );
    return {
      features: Float32Array.from({ length: rows.length * dimension }, (_, i) => {
        return records[rows[Math.floor(i / dimension)] * dimension + (i % dimension)];
      }),
      labels: Float64Array.from(rows, (row) => labels[row]),
    };
  };
  const scale = scaleOf(pick(train, (step) => step === 0).features, dimension);
  const scaled = ({ features, labels }: Arrived) => ({ features: scale(features), labels });
  const arrivals = Array.from({ length: steps }, (_, step) => scaled(pick(train, (own) => own === step)));
  const held = Array.from({ length: steps }, (_, step) => scaled(pick(valid, (own) => own === step)));
  for (const [name, begin] of Object.entries(learners)) {
    const learner = begin(dimension, classes);
    const best = new Float64Array(steps).fill(Number.NaN);
    let last: number[] = [];
    for (const [step, arrived] of arrivals.entries()) {
      learner.learn(arrived);
      last = held
        .slice(0, step + 1)
        .map(({ features, labels }) => accuracyOf(learner.outputs(features), labels, classes));
      // What was best before the last step is what can be forgotten.
      if (step < steps - 1)
        last.forEach((accuracy, earlier) => {
          if (!(accuracy <= best[earlier])) best[earlier] = accuracy;
        });
    }
    const lost = last.slice(0, -1).flatMap((accuracy, step) => {
      const forgotten = best[step] - accuracy;
      return Number.isNaN(forgotten) ? [] : [forgotten];
    });
    const { value } = test.score('accuracy', learner.outputs(scale(test.records)));
    yield [`accuracy, ${name}`, value];
    yield [`forgetting, ${name}`, lost.reduce((sum, part) => sum + part, 0) / lost.length];
  }
};

/** Features less their mean over some rows, in units of their deviation there, which is one for all columns. */
function scaleOf(rows: Float32Array, dimension: number): (features: Float32Array) => Float32Array {
  const mean = new Float64Array(dimension);
  rows.forEach((value, i) => {
    mean[i % dimension] += (value * dimension) / rows.length;
  });
  const squares = rows.reduce((sum, value, i) => sum + (value - mean[i % dimension]) ** 2, 0);
  const deviation = Math.sqrt(squares / rows.length) || 1;
  return (features) => features.map((value, i) => (value - mean[i % dimension]) / deviation);
}

/** NaN where there are no records. */
function accuracyOf(outputs: Float64Array, labels: Float64Array, classes: number): number {
  let right = 0;
  labels.forEach((label, row) => {
    const own = outputs.subarray(row * classes, (row + 1) * classes);
    if (own.indexOf(Math.max(...own)) === label) right++;
  });
  return right / labels.length;
}

/** Sums over the records that have come, by class. */
class ClassSums {
  readonly counts: Float64Array;
  /** float64[classes, dimension] */
  readonly sums: Float64Array;

  constructor(
    readonly dimension: number,
    readonly classes: number,
  ) {
    this.counts = new Float64Array(classes);
    this.sums = new Float64Array(classes * dimension);
  }

  add({ features, labels }: Arrived): void {
    labels.forEach((label, row) => {
      this.counts[label]++;
      for (let j = 0; j < this.dimension; j++)
        this.sums[label * this.dimension + j] += features[row * this.dimension + j];
    });
  }

  mean(label: number, j: number): number {
    return this.sums[label * this.dimension + j] / this.counts[label];
  }

  /** x · w + b for each class with weights [dimension, classes]; −∞ for a class without records. */
  linear(features: Float32Array, weights: Matrix, bias: (label: number) => number): Float64Array {
    const { dimension, classes } = this;
    const n = features.length / dimension;
    const outputs = new Float64Array(n * classes).fill(Number.NEGATIVE_INFINITY);
    for (let label = 0; label < classes; label++) {
      if (this.counts[label] === 0) continue;
      for (let row = 0; row < n; row++) {
        let sum = bias(label);
        for (let j = 0; j < dimension; j++) sum += features[row * dimension + j] * weights.get(j, label);
        outputs[row * classes + label] = sum;
      }
    }
    return outputs;
  }
}

const halfSquare = (weights: Matrix, means: (j: number) => number, label: number) => {
  let sum = 0;
  for (let j = 0; j < weights.rows; j++) sum += means(j) * weights.get(j, label);
  return -sum / 2;
};

const meansOf = (sums: ClassSums) => {
  const means = Matrix.zeros(sums.dimension, sums.classes);
  for (let label = 0; label < sums.classes; label++)
    if (sums.counts[label] > 0)
      for (let j = 0; j < sums.dimension; j++) means.set(j, label, sums.mean(label, j));
  return means;
};

/** The nearest mean of a class: μᵀx − ½ ‖μ‖². */
const nearestMean: Begin = (dimension, classes) => {
  const sums = new ClassSums(dimension, classes);
  return {
    learn: (arrived) => sums.add(arrived),
    outputs(features) {
      const means = meansOf(sums);
      return sums.linear(features, means, (label) => halfSquare(means, (j) => sums.mean(label, j), label));
    },
  };
};

/** Adds the outer products of rows to a matrix, of rows less the mean of their class where means are given. */
function addProducts(
  to: Matrix,
  { features, labels }: Arrived,
  less?: (label: number, j: number) => number,
): void {
  const dimension = to.rows;
  const x = new Float64Array(dimension);
  labels.forEach((label, row) => {
    for (let j = 0; j < dimension; j++) x[j] = features[row * dimension + j] - (less?.(label, j) ?? 0);
    for (let i = 0; i < dimension; i++)
      for (let j = 0; j <= i; j++) {
        const value = to.get(i, j) + x[i] * x[j];
        to.set(i, j, value);
        to.set(j, i, value);
      }
  });
}

/** Shrinkage of the covariance, as in the paper. */
const SHRINKAGE = 1e-2;

/** Linear discriminants with one covariance of all that has come, around the means of the classes as they were. */
const streamingDiscriminant: Begin = (dimension, classes) => {
  const sums = new ClassSums(dimension, classes);
  const scatter = Matrix.zeros(dimension, dimension);
  let count = 0;
  return {
    learn(arrived) {
      sums.add(arrived);
      addProducts(scatter, arrived, (label, j) => sums.mean(label, j));
      count += arrived.labels.length;
    },
    outputs(features) {
      const covariance = Matrix.mul(scatter, (1 - SHRINKAGE) / count).add(
        Matrix.eye(dimension).mul(SHRINKAGE),
      );
      const weights = solve(covariance, meansOf(sums));
      return sums.linear(features, weights, (label) =>
        halfSquare(weights, (j) => sums.mean(label, j), label),
      );
    },
  };
};

/** The penalty of ridge regression for each record. */
const PENALTY = 1e-2;

/** Ridge regression to 1 for a record's class and 0 for others, with an intercept that is not penalised, from sums alone. */
const streamingRidge: Begin = (dimension, classes) => {
  const sums = new ClassSums(dimension, classes);
  const products = Matrix.zeros(dimension, dimension);
  return {
    learn(arrived) {
      sums.add(arrived);
      addProducts(products, arrived);
    },
    outputs(features) {
      const count = sums.counts.reduce((sum, own) => sum + own, 0);
      const total = Float64Array.from({ length: dimension }, (_, j) => {
        let sum = 0;
        for (let label = 0; label < classes; label++) sum += sums.sums[label * dimension + j];
        return sum;
      });
      const centred = products.clone();
      const right = Matrix.zeros(dimension, classes);
      for (let i = 0; i < dimension; i++) {
        for (let j = 0; j < dimension; j++)
          centred.set(i, j, centred.get(i, j) - (total[i] * total[j]) / count);
        for (let label = 0; label < classes; label++)
          right.set(i, label, sums.sums[label * dimension + i] - (total[i] * sums.counts[label]) / count);
      }
      const weights = solve(centred.add(Matrix.eye(dimension).mul(PENALTY * count)), right);
      return sums.linear(features, weights, (label) => {
        let bias = sums.counts[label] / count;
        for (let j = 0; j < dimension; j++) bias -= (total[j] / count) * weights.get(j, label);
        return bias;
      });
    },
  };
};

/** Passes, records a step, and rate of a head that is trained in turn. */
const HEAD = { epochs: 20, batch: 16, rate: 0.05 };

/** Softmax regression by stochastic gradient descent on what arrives, and nothing of what came before: what forgets. */
const headInTurn: Begin = (dimension, classes) => {
  const weights = Matrix.zeros(dimension, classes);
  const bias = new Float64Array(classes);
  const sums = new ClassSums(dimension, classes);
  let step = 0;
  return {
    learn(arrived) {
      sums.add(arrived);
      const { features, labels } = arrived;
      for (let epoch = 0; epoch < HEAD.epochs; epoch++) {
        const order = permutation(labels.length, random(0, 'head in turn', step, epoch));
        for (let first = 0; first < order.length; first += HEAD.batch) {
          const rows = order.subarray(first, first + HEAD.batch);
          const errors = Array.from(rows, (row) => {
            const x = features.subarray(row * dimension, (row + 1) * dimension);
            const logits = sums.linear(x, weights, (label) => bias[label]);
            return { x, error: softmax(logits).map((p, label) => p - (labels[row] === label ? 1 : 0)) };
          });
          const rate = HEAD.rate / rows.length;
          for (const { x, error } of errors)
            for (let label = 0; label < classes; label++) {
              if (error[label] === 0) continue;
              bias[label] -= rate * error[label];
              for (let j = 0; j < dimension; j++)
                weights.set(j, label, weights.get(j, label) - rate * error[label] * x[j]);
            }
        }
      }
      step++;
    },
    outputs: (features) => sums.linear(features, weights, (label) => bias[label]),
  };
};

/** The learners, by the name that their rows have. */
export const learners: Readonly<Record<string, Begin>> = {
  'class means': nearestMean,
  'streaming discriminant': streamingDiscriminant,
  'streaming ridge': streamingRidge,
  'head trained in turn': headInTurn,
};
