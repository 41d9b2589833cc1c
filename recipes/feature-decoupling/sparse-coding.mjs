/**
 * The model of Wen & Li (ICML 2021): records x = M z + ξ of sparse features and dense noise, learned by contrasts of two
 * views that each show some coordinates.
 */
import { hostTensor } from 'lacuna/engine';
import {
  add,
  constant,
  input,
  matmul,
  mean,
  multiply,
  negate,
  parameter,
  relu,
  reshape,
  subtract,
} from 'lacuna/graph';
import { contrastiveLoss } from 'lacuna/objectives';
import { Matrix, solve } from 'ml-matrix';

/** @typedef {import('lacuna/graph').Value} Value */
/** @typedef {import('lacuna/learning').Random} Random */
/** @typedef {{ width: number, atoms: number, frequency: number, noise: number, units: number }} Model */

/** `size` records: signs float32[size, atoms], −1 or 1 with the given frequency and else 0, and noise float32[size, width]. */
export function drawRecords(
  /** @type {Model} */ { width, atoms, frequency, noise },
  /** @type {number} */ size,
  /** @type {Random} */ source,
) {
  const signs = Float32Array.from({ length: size * atoms }, () => {
    const u = source.uniform();
    return u < frequency ? (u < frequency / 2 ? -1 : 1) : 0;
  });
  const dense = Float32Array.from({ length: size * width }, () => noise * source.normal());
  return {
    signs: hostTensor('float32', [size, atoms], signs),
    dense: hostTensor('float32', [size, width], dense),
  };
}

/**
 * Which coordinates two views show, float32[2 · size, width] of 0 and 1, view by view: half of them each, of which the other
 * does not show the share `strength`. At 1 no coordinate is in both, as in the paper; at 0 both views are the same. With
 * `whole` both show everything.
 */
export function drawMasks(
  /** @type {number | 'whole'} */ strength,
  /** @type {number} */ size,
  /** @type {number} */ width,
  /** @type {Random} */ source,
) {
  const masks = new Float32Array(2 * size * width).fill(1);
  if (strength !== 'whole') {
    for (let i = 0; i < size * width; i++) {
      const first = Number(source.uniform() < 0.5);
      masks[i] = first;
      masks[size * width + i] = source.uniform() < strength ? 1 - first : first;
    }
  }
  return hostTensor('float32', [2 * size, width], masks);
}

/**
 * The network, one layer of units relu(⟨w, x⟩ − b) − relu(−⟨w, x⟩ − b), which are 0 for small ⟨w, x⟩: float32[rows, width] to
 * float32[rows, units]. The b are trained with the w.
 */
export function thresholdUnits(/** @type {Value} */ x, /** @type {Model} */ { width, units }) {
  const weights = parameter('weights', [width, units], { kind: 'normal', deviation: 1 / Math.sqrt(width) });
  const thresholds = parameter('thresholds', [units], { kind: 'constant', value: 0 });
  const reached = matmul(x, weights);
  return subtract(relu(subtract(reached, thresholds)), relu(subtract(negate(reached), thresholds)));
}

/** The records of `drawRecords`, float32[size, width]. */
export const recordsOf = (
  /** @type {Model} */ { width, atoms },
  /** @type {number} */ size,
  /** @type {Float32Array} */ dictionary,
) =>
  add(
    matmul(
      input('signs', 'float32', [size, atoms]),
      constant(hostTensor('float32', [atoms, width], dictionary)),
    ),
    input('dense', 'float32', [size, width]),
  );

/** Lacuna's contrast of SimCLR on what the network makes of two views, float32[]. */
export function contrast(
  /** @type {Model} */ model,
  /** @type {number} */ size,
  /** @type {Float32Array} */ dictionary,
  /** @type {number} */ temperature,
) {
  const records = reshape(recordsOf(model, size, dictionary), [1, size, model.width]);
  const masks = reshape(input('masks', 'float32', [2 * size, model.width]), [2, size, model.width]);
  const views = reshape(multiply(records, masks), [2 * size, model.width]);
  const rows = constant(hostTensor('float32', [2 * size], new Float32Array(2 * size).fill(1)));
  return mean(contrastiveLoss(thresholdUnits(views, model), rows, temperature), [0]);
}

/**
 * How much of the variance of each target float32[rows, m] a line through features float32[rows, n] explains, fitted on the
 * first half of the rows and measured on the second; 0 at the least.
 */
export function explained(
  /** @type {Float32Array} */ features,
  /** @type {Float32Array} */ targets,
  /** @type {number} */ rows,
) {
  const half = rows / 2;
  const matrix = (/** @type {Float32Array} */ values, /** @type {number} */ from) =>
    Matrix.from1DArray(
      half,
      values.length / rows,
      values.subarray((from * values.length) / rows, ((from + half) * values.length) / rows),
    );
  const X = matrix(features, 0);
  const means = X.mean('column');
  X.subRowVector(means);
  const gram = X.transpose().mmul(X);
  // A unit that never answers has no variance: so small a penalty changes nothing but that.
  const weights = solve(
    gram.add(Matrix.eye(gram.rows, gram.rows).mul(1e-6 * (gram.trace() / gram.rows) + 1e-12)),
    X.transpose().mmul(matrix(targets, 0)),
  );
  const predicted = matrix(features, half).subRowVector(means).mmul(weights);
  const truth = matrix(targets, half);
  const offsets = matrix(targets, 0).mean('column');
  return Array.from({ length: truth.columns }, (_, k) => {
    let [left, whole] = [0, 0];
    for (let i = 0; i < half; i++) {
      const centred = truth.get(i, k) - offsets[k];
      left += (centred - predicted.get(i, k)) ** 2;
      whole += centred ** 2;
    }
    return Math.max(0, 1 - left / whole);
  });
}

/** The share of the variance of all features float32[rows, n] together that a line through `causes` float32[rows, m] explains. */
export function sharedVariance(
  /** @type {Float32Array} */ features,
  /** @type {Float32Array} */ causes,
  /** @type {number} */ rows,
) {
  const shares = explained(causes, features, rows);
  const columns = shares.length;
  let [part, whole] = [0, 0];
  for (let k = 0; k < columns; k++) {
    let [total, squares] = [0, 0];
    for (let i = 0; i < rows; i++) {
      total += features[i * columns + k];
      squares += features[i * columns + k] ** 2;
    }
    const variance = squares - total ** 2 / rows;
    part += shares[k] * variance;
    whole += variance;
  }
  return part / whole;
}

/** Of each unit's weights float32[width, units], the share of the squared length within the span of the atoms, and along the nearest atom. */
export function aligned(
  /** @type {Float32Array} */ weights,
  /** @type {Float32Array} */ dictionary,
  /** @type {Model} */ { width, atoms, units },
) {
  return Array.from({ length: units }, (_, unit) => {
    let [length, within, nearest] = [0, 0, 0];
    for (let i = 0; i < width; i++) length += weights[i * units + unit] ** 2;
    for (let atom = 0; atom < atoms; atom++) {
      let along = 0;
      for (let i = 0; i < width; i++) along += weights[i * units + unit] * dictionary[atom * width + i];
      within += along ** 2;
      nearest = Math.max(nearest, along ** 2);
    }
    return { within: within / length, nearest: nearest / length };
  });
}
