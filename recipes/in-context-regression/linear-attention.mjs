/**
 * One layer of linear self-attention on prompts of linear regression (Zhang, Frei & Bartlett, JMLR 2024; Ahn et al., NeurIPS
 * 2023), and what the theory says that it learns.
 *
 * A prompt is N examples (xᵢ, yᵢ) with x ~ N(0, Λ), y = ⟨w, x⟩ + ε and a task w ~ N(0, I) of its own, and a query x; asked for
 * is ⟨w, x⟩ of the query.
 */
import { hostTensor } from 'lacuna/engine';
import {
  add,
  concatenate,
  constant,
  input,
  matmul,
  mean,
  multiply,
  parameter,
  reshape,
  scalar,
  slice,
  subtract,
} from 'lacuna/graph';
import { Matrix, solve } from 'ml-matrix';

/** @typedef {import('lacuna/graph').Value} Value */
/** @typedef {import('lacuna/learning').Random} Random */
/** @typedef {{ size: number, examples: number, axes: Float32Array, variances: readonly number[], queryVariances?: readonly number[], noise: number }} Prompts */

/**
 * The inputs of a batch of prompts and what they make: x float32[size, N, d], y float32[size, N, 1], query float32[size, 1, d]
 * and target float32[size, 1, 1]. `axes` float32[d, d] has the eigenvectors of Λ in its rows, `variances` their eigenvalues;
 * `noise` is the deviation of ε. The input `scale` float32[size, 1, 1] multiplies all x of a prompt.
 */
export function promptGraph(
  /** @type {Prompts} */ { size, examples, axes, variances, queryVariances = variances, noise },
) {
  const d = variances.length;
  const factor = (/** @type {readonly number[]} */ of) =>
    constant(
      hostTensor(
        'float32',
        [d, d],
        axes.map((value, i) => value * Math.sqrt(of[Math.floor(i / d)])),
      ),
    );
  const scale = input('scale', 'float32', [size, 1, 1]);
  const task = input('task', 'float32', [size, d, 1]);
  const x = multiply(
    matmul(input('white-examples', 'float32', [size, examples, d]), factor(variances)),
    scale,
  );
  const query = multiply(
    matmul(input('white-query', 'float32', [size, 1, d]), factor(queryVariances)),
    scale,
  );
  const y = add(matmul(x, task), multiply(input('noise', 'float32', [size, examples, 1]), scalar(noise)));
  return { x, y, query, target: matmul(query, task) };
}

/** Draws the inputs of `promptGraph`: tasks of deviation `taskDeviation`, and scales by `scale`, which are 1 where nothing is said. */
export function drawPrompts(
  /** @type {{ size: number, examples: number, d: number, taskDeviation?: number, scale?: (source: Random) => number }} */ {
    size,
    examples,
    d,
    taskDeviation = 1,
    scale = () => 1,
  },
  /** @type {Random} */ source,
) {
  const normal = (/** @type {number[]} */ shape, deviation = 1) =>
    hostTensor(
      'float32',
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => deviation * source.normal()),
    );
  return {
    scale: hostTensor(
      'float32',
      [size, 1, 1],
      Float32Array.from({ length: size }, () => scale(source)),
    ),
    task: normal([size, d, 1], taskDeviation),
    'white-examples': normal([size, examples, d]),
    'white-query': normal([size, 1, d]),
    noise: normal([size, examples, 1]),
  };
}

/**
 * The layer: tokens (xᵢ, yᵢ) and (query, 0), each to itself + Σᵢ PV eᵢ (eᵢᵀ KQ e) / N, of which the last entry of the last
 * token is the prediction float32[size, 1, 1]. There is no softmax. Both matrices are float32[d + 1, d + 1].
 */
export function linearAttention(/** @type {{ x: Value, y: Value, query: Value }} */ { x, y, query }) {
  const [size, examples, d] = /** @type {number[]} */ (x.shape);
  const tokens = concatenate(
    [
      concatenate([x, y], 2),
      concatenate([query, constant(hostTensor('float32', [size, 1, 1], new Float32Array(size)))], 2),
    ],
    1,
  );
  const initializer = /** @type {const} */ ({ kind: 'normal', deviation: 0.1 });
  const keyQuery = parameter('key-query', [d + 1, d + 1], initializer);
  const projectionValue = parameter('projection-value', [d + 1, d + 1], initializer);
  const attention = matmul(matmul(tokens, keyQuery, { transposeB: true }), tokens, { transposeB: true });
  const read = matmul(attention, matmul(tokens, projectionValue, { transposeB: true }));
  const states = add(tokens, multiply(read, scalar(1 / examples)));
  return slice(slice(states, 1, examples, examples + 1), 2, d, d + 1);
}

/**
 * Starting values from which the theory promises that gradient flow finds the best layer: σ Θ Θᵀ, drawn, for the part of KQ
 * that compares x with x, σ for the part of PV that takes y to y, and else 0.
 */
export function structuredStart(/** @type {number} */ d, /** @type {Random} */ source, sigma = 0.3) {
  const side = d + 1;
  const theta = Array.from({ length: d * d }, () => source.normal());
  const keyQuery = new Float32Array(side * side);
  const projectionValue = new Float32Array(side * side);
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++)
      for (let k = 0; k < d; k++) keyQuery[i * side + j] += (sigma * theta[i * d + k] * theta[j * d + k]) / d;
  projectionValue[d * side + d] = sigma;
  return { 'key-query': keyQuery, 'projection-value': projectionValue };
}

/** The mean square of prediction less target, float32[]. */
export function squaredLoss(/** @type {Value} */ prediction, /** @type {Value} */ target) {
  const error = subtract(prediction, target);
  return mean(reshape(multiply(error, error), [/** @type {number} */ (error.shape[0])]), [0]);
}

/**
 * What a trained layer computes, xᵀ B (Σ y x) / N with B float64[d, d], and how much of its two matrices is elsewhere: the
 * norms of the entries that are 0 in theory, as shares of those that are not. B is the last entry of PV times the first
 * d × d of KQ, turned: the score of an example is exampleᵀ KQ query.
 */
export function readLayer(
  /** @type {Float32Array} */ keyQuery,
  /** @type {Float32Array} */ projectionValue,
  /** @type {number} */ d,
) {
  const side = d + 1;
  const last = projectionValue[d * side + d];
  const B = Array.from({ length: d * d }, (_, i) => last * keyQuery[(i % d) * side + Math.floor(i / d)]);
  const norm = (/** @type {number[]} */ values) => Math.hypot(...values);
  const inside = Array.from({ length: d * d }, (_, i) => keyQuery[Math.floor(i / d) * side + (i % d)]);
  // Of KQ the row that y asks with, of PV what x adds to the prediction; a query has no y, and other outputs are not read.
  const outside = Array.from({ length: d }, (_, i) => keyQuery[d * side + i]);
  const added = Array.from({ length: d }, (_, i) => projectionValue[d * side + i]);
  return { B, elsewhere: [norm(outside) / norm(inside), norm(added) / Math.abs(last)] };
}

/** @typedef {{ variances: readonly number[], examples: number, noise: number }} Problem */

/** The mean of the square of Σ x xᵀ / N along each eigenvector, and the noise's part: what multiplies β² in the error. */
const second = (/** @type {Problem} */ { variances, examples, noise }) => {
  const trace = variances.reduce((a, b) => a + b);
  return variances.map((v) => v ** 2 + (v ** 2 + v * trace + noise ** 2 * v) / examples);
};

/**
 * The β of B = Σ β v vᵀ with the least error on prompts of N examples: one step of gradient descent from 0, preconditioned.
 * Without noise B is Γ⁻¹ of Zhang et al., Γ = (1 + 1/N) Λ + tr(Λ)/N. With scales c of variance, drawn for each prompt,
 * `moments` are the means of c² and c³: the error is a mean over prompts, in which those of large scale count most.
 */
export function bestPreconditioner(/** @type {Problem} */ { variances, examples, noise }, moments = [1, 1]) {
  const trace = variances.reduce((a, b) => a + b);
  const ratio = moments[1] / moments[0];
  return variances.map((v) => 1 / (ratio * (v + (v + trace) / examples) + noise ** 2 / examples));
}

/** The one rate of plain gradient descent whose first step from 0 has the least error. */
export function bestRate(/** @type {Problem} */ problem) {
  const squares = second(problem);
  const over = problem.variances.reduce((sum, v) => sum + v ** 2, 0);
  return over / problem.variances.reduce((sum, v, i) => sum + v * squares[i], 0);
}

/**
 * The mean squared error of xᵀ B (Σ y x) / N with B = Σ β v vᵀ, of the prediction 0 as 1: queries of variances
 * `queryVariances` along the same axes, tasks of deviation `taskDeviation`.
 */
export function stepError(
  /** @type {readonly number[]} */ beta,
  /** @type {Problem & { queryVariances?: readonly number[], taskDeviation?: number }} */ {
    queryVariances,
    taskDeviation = 1,
    ...problem
  },
) {
  const { variances, noise } = problem;
  const query = queryVariances ?? variances;
  const squares = second({ ...problem, noise: noise / taskDeviation });
  const error = variances.reduce(
    (sum, v, i) => sum + query[i] * (1 - 2 * beta[i] * v + beta[i] ** 2 * squares[i]),
    0,
  );
  return error / query.reduce((a, b) => a + b);
}

/** Ridge regression on a prompt, whose penalty is the variance of the noise: no predictor has less error. x float32[N, d]. */
export function ridge(
  /** @type {Float32Array} */ x,
  /** @type {Float32Array} */ y,
  /** @type {Float32Array} */ query,
  /** @type {number} */ penalty,
) {
  const d = query.length;
  const X = Matrix.from1DArray(y.length, d, x);
  const gram = X.transpose().mmul(X).add(Matrix.eye(d, d).mul(penalty));
  const weights = solve(gram, X.transpose().mmul(Matrix.columnVector(y)));
  return query.reduce((sum, value, i) => sum + value * weights.get(i, 0), 0);
}

/** Σ β v vᵀ with the v in the rows of `axes`: float64[d, d]. */
export const alongAxes = (/** @type {readonly number[]} */ beta, /** @type {Float32Array} */ axes) =>
  Array.from({ length: beta.length ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / beta.length), at % beta.length];
    return beta.reduce(
      (sum, value, k) => sum + value * axes[k * beta.length + i] * axes[k * beta.length + j],
      0,
    );
  });
