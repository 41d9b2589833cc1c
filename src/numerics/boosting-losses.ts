/** Half the squared error; cross-entropy of one logit; cross-entropy of one logit per class. */
export type BoostingLoss = 'squared' | 'logistic' | 'softmax';

/** What boosting has to know of a loss. */
export interface Loss {
  known(label: number, outputs: number): boolean;
  /** The labels that are known, for a message. */
  readonly expected: string;
  /** The scores that are best without any feature, float64[outputs]. */
  start(labels: Float64Array, outputs: number): Float64Array;
  /**
   * Writes the derivatives at scores [n, outputs] by each score, [outputs, n], and returns the summed loss.
   * Second derivatives are kept above 0, and those of softmax are twice the diagonal of the Hessian, as in XGBoost.
   */
  derive(
    scores: Float64Array,
    labels: Float64Array,
    outputs: number,
    gradients: Float64Array,
    hessians: Float64Array,
  ): number;
}

const LEAST_HESSIAN = 1e-16;

/** Keeps the first scores finite where all labels are alike, or a class has none. */
const LEAST_SHARE = 1e-6;

export const boostingLosses: Record<BoostingLoss, Loss> = {
  squared: {
    known: Number.isFinite,
    expected: 'finite numbers',
    start: (labels) => Float64Array.of(mean(labels)),
    derive(scores, labels, _, gradients, hessians) {
      let loss = 0;
      for (let row = 0; row < labels.length; row++) {
        const gradient = scores[row] - labels[row];
        gradients[row] = gradient;
        hessians[row] = 1;
        loss += gradient ** 2 / 2;
      }
      return loss;
    },
  },
  logistic: {
    known: (label) => label >= 0 && label <= 1,
    expected: '0, 1 or a share between',
    start(labels) {
      const share = Math.min(Math.max(mean(labels), LEAST_SHARE), 1 - LEAST_SHARE);
      return Float64Array.of(Math.log(share / (1 - share)));
    },
    derive(scores, labels, _, gradients, hessians) {
      let loss = 0;
      for (let row = 0; row < labels.length; row++) {
        const z = scores[row];
        const small = Math.exp(-Math.abs(z));
        gradients[row] = (z > 0 ? 1 : small) / (1 + small) - labels[row];
        hessians[row] = Math.max(small / (1 + small) ** 2, LEAST_HESSIAN);
        loss += Math.log1p(small) + Math.max(z, 0) - labels[row] * z;
      }
      return loss;
    },
  },
  softmax: {
    known: (label, outputs) => Number.isInteger(label) && label >= 0 && label < outputs,
    expected: 'class numbers from 0 below classes',
    start(labels, outputs) {
      const members = new Float64Array(outputs);
      for (const label of labels) members[label]++;
      return members.map((count) => Math.log(Math.max(count / labels.length, LEAST_SHARE)));
    },
    derive(scores, labels, outputs, gradients, hessians) {
      const n = labels.length;
      const powers = new Float64Array(outputs);
      let loss = 0;
      for (let row = 0; row < n; row++) {
        let largest = Number.NEGATIVE_INFINITY;
        for (let k = 0; k < outputs; k++) largest = Math.max(largest, scores[row * outputs + k]);
        let sum = 0;
        for (let k = 0; k < outputs; k++) {
          powers[k] = Math.exp(scores[row * outputs + k] - largest);
          sum += powers[k];
        }
        for (let k = 0; k < outputs; k++) {
          const p = powers[k] / sum;
          gradients[k * n + row] = p - Number(k === labels[row]);
          hessians[k * n + row] = Math.max(2 * p * (1 - p), LEAST_HESSIAN);
        }
        loss += Math.log(sum) + largest - scores[row * outputs + labels[row]];
      }
      return loss;
    },
  },
};

function mean(values: Float64Array): number {
  const round = rounding(values);
  return values.reduce((sum, value) => sum + (value + round - round), 0) / values.length;
}

/**
 * A number that, added and taken away again, rounds each of the values to a multiple of a power of two so coarse that sums
 * of any of them are exact; the error is at most 2⁻⁵² of the largest times their number. With exact sums the order
 * of rows makes no difference, nor whether a histogram was summed or subtracted, and equal gains are equal.
 */
export function rounding(values: Float64Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return 1.5 * 2 ** Math.ceil(Math.log2(largest * values.length));
}
