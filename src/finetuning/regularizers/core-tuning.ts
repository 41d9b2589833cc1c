import {
  add,
  cast,
  concatenate,
  divide,
  exp,
  input,
  less,
  logSoftmax,
  matmul,
  multiply,
  negate,
  oneHot,
  outerScope,
  relu,
  reshape,
  scalar,
  scope,
  staticSize,
  stopGradient,
  subtract,
  sum,
  topK,
  transpose,
  type Value,
} from '../../graph/index.js';
import { linear } from '../../layers/linear.js';
import { weightedMean } from '../../layers/losses.js';
import { permutation } from '../../tensor/random.js';
import { hostTensor } from '../../tensor/tensor.js';
import { AUXILIARY } from '../tunings/tuning.js';
import { among, cosines, diagonal, not, pairsThatCount, regularizerWeight, TEMPERATURE } from './alike.js';
import { column, drawBeta, type Mixed, mix, mixedLosses, mixupAlpha, rowsAt } from './mixing.js';
import type { Labelled, Regularizer } from './regularizer.js';

/** The least part of the other record in a hard negative. */
const OTHER = 0.8;

/**
 * The focal supervised contrast of rows float32[n, width]: the mean over rows a with a positive of
 * −1/|P(a)| Σ_{p ∈ P(a)} (1 − q_ap) log q_ap, where q_a is the softmax of a's cosines / 0.07 over all other rows that count.
 * `alike` float32[n, n] is 1 for rows of one label, `counts` float32[n] 0 for rows that are left out.
 * @internal
 */
export function focalContrast(rows: Value, alike: Value, counts: Value): Value {
  const allowed = pairsThatCount(counts);
  const scores = multiply(cosines(rows), scalar(1 / TEMPERATURE));
  const logShares = logSoftmax(among(scores, allowed));
  const positive = multiply(alike, allowed);
  const positives = sum(positive, [1]);
  const focal = negate(sum(multiply(multiply(positive, not(exp(logShares))), logShares), [1]));
  const none = cast(less(positives, scalar(0.5)), 'float32');
  return weightedMean(divide(focal, add(positives, none)), not(none)).mean;
}

/** float32[n, n]: 1 where the soft labels float32[n, classes] of two rows are the same. */
function sameLabels(soft: Value): Value {
  const n = staticSize(soft.shape[0]);
  const squares = reshape(sum(multiply(soft, soft), [1]), [n, 1]);
  const products = multiply(matmul(soft, soft, { transposeB: true }), scalar(2));
  const distance = subtract(add(squares, transpose(squares, [1, 0])), products);
  return cast(less(distance, scalar(1e-5)), 'float32');
}

/** int32[n]: where each row's score is largest; a row without a choice has itself. */
function hardest(scores: Value, allowed: Value): Value {
  const n = staticSize(scores.shape[0]);
  const own = multiply(diagonal(n), scalar(1e8));
  return reshape(topK(add(among(scores, allowed), own), 1).indices, [n]);
}

const softLabels = ({ labels }: Pick<Labelled, 'labels'>, classes: number): Value =>
  oneHot(cast(reshape(labels, [labels.shape[0]]), 'int32'), classes);

/**
 * Core-tuning: cross-entropy and a focal supervised contrast of the records, beside which stand, for each, a hard positive
 * and a hard negative. The hard positive is λ · (the least similar record of its class) + (1 − λ) · (the most similar
 * record of another), λ from Beta(α, α); the hard negative is the record itself, at least four fifths of it another one.
 * Their labels are mixed alike, and rows whose mixed labels are the same are positives of each other. What is contrasted
 * comes from a perceptron that no run keeps.
 *
 * Departures from the authors' program: a row's positives are averaged, where the program divides by the number of rows;
 * a record without a positive or negative has itself in its place; the gradient flows through the records that are not
 * mixed, too.
 */
export const coreTuning: Regularizer = {
  paper: 'Zhang et al., NeurIPS 2021',
  tasks: ['binary', 'multiclass'],
  options: { mixup_alpha: mixupAlpha, regularizer_weight: regularizerWeight },
  defaults: { mixup_alpha: 1, regularizer_weight: 0.1 },
  comparesRecords: true,
  draw({ mixup_alpha: alpha = 1 }, { size, rows }, source) {
    const order = permutation(rows, source('hard negative partners'));
    const [negative, positive] = [source('hard negative shares'), source('hard positive shares')];
    const sharesOf = (draw: () => number) =>
      hostTensor('float32', [size], Float32Array.from({ length: size }, draw));
    return {
      negative_partners: hostTensor(
        'int32',
        [size],
        Int32Array.from({ length: size }, (_, row) => order[row % rows]),
      ),
      negative_shares: sharesOf(() => 1 - Math.max(OTHER, drawBeta(alpha, negative))),
      positive_shares: sharesOf(() => drawBeta(alpha, positive)),
    };
  },
  loss({ regularizer_weight: amount = 0.1 }, { task, read, head, labels, weights, losses }) {
    const size = staticSize(labels.shape[0]);
    const own = { read, labels, weights };
    const counts = reshape(weights, [size]);
    const outputs = head(read);
    const classes = task === 'binary' ? 2 : staticSize(outputs.shape[1]);
    const ownLabels = softLabels(own, classes);
    const near = cosines(stopGradient(read));
    const alike = sameLabels(ownLabels);
    const both = matmul(reshape(counts, [size, 1]), reshape(counts, [1, size]));
    const positives = multiply(multiply(alike, both), not(diagonal(size)));
    const pairs: Mixed[] = [
      {
        share: column(input('negative_shares', 'float32', [size])),
        first: own,
        second: rowsAt(own, input('negative_partners', 'int32', [size])),
      },
      {
        share: column(input('positive_shares', 'float32', [size])),
        first: rowsAt(own, hardest(negate(near), positives)),
        second: rowsAt(own, hardest(near, multiply(not(alike), both))),
      },
    ];
    const mixed = pairs.map((pair) => {
      const { share, first, second } = pair;
      const rows = mix(share, first.read, second.read);
      return {
        rows,
        soft: mix(share, softLabels(first, classes), softLabels(second, classes)),
        counts: reshape(multiply(first.weights, second.weights), [size]),
        ...mixedLosses(head(rows), pair, losses),
      };
    });
    const { mean, weight } = weightedMean(
      concatenate([losses(outputs, labels), ...mixed.map(({ values }) => values)], 0),
      concatenate([weights, ...mixed.map((each) => each.weights)], 0),
    );
    const all = concatenate([read, ...mixed.map(({ rows }) => rows)], 0);
    const contrasted = outerScope(AUXILIARY.slice(0, -1), () =>
      scope('contrast', () => {
        const width = staticSize(read.shape[1]);
        return linear('output', relu(linear('hidden', all, width)), width);
      }),
    );
    const contrast = focalContrast(
      contrasted,
      sameLabels(concatenate([ownLabels, ...mixed.map(({ soft }) => soft)], 0)),
      concatenate([counts, ...mixed.map((each) => each.counts)], 0),
    );
    return { mean: add(mean, multiply(contrast, scalar(amount))), weight };
  },
};
