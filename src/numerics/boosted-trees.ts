import { InputError } from '../errors.js';
import { type Random, random } from '../tensor/random.js';
import { binRows } from './binned-rows.js';
import { type BoostingLoss, boostingLosses, rounding } from './boosting-losses.js';
import { growTree, type TreeOptions } from './histogram-tree.js';
import { addTree, joinTrees, predictTrees, type Tree, type TreeEnsemble } from './tree-ensemble.js';

export interface BoostedTreesOptions extends TreeOptions {
  /** Trees per output. */
  readonly rounds: number;
  /**
   * Bins per feature, 2 to 256, one of them for missing values if it has any. A feature with no more distinct values
   * than that is cut between all of them.
   */
  readonly bins: number;
  /** Share of the rows drawn for each round. Default 1. */
  readonly rowFraction?: number;
  /** Share of the features drawn for each tree. Default 1. */
  readonly columnFraction?: number;
  /** Decides what is drawn and nothing else. */
  readonly seed: number;
  /** Stop after so many rounds without a better loss on the validation rows. Default: never. */
  readonly earlyStoppingRounds?: number;
  /** Number of classes; for the softmax loss. */
  readonly classes?: number;
}

export interface BoostedTreesData {
  /** float32[n, dimension]; NaN is missing */
  readonly features: Float32Array;
  readonly dimension: number;
  /** float64[n]: values; 0 to 1 for the logistic loss; class numbers for the softmax loss */
  readonly labels: Float64Array;
}

/** What {@link predictBoostedTrees} reads; tree t is of round t / outputs. */
export type BoostedTrees = TreeEnsemble;

/**
 * Rounds kept: with validation rows those up to the least loss on them, else all.
 * @internal
 */
export const roundsOf = ({ offsets, start }: BoostedTrees): number => (offsets.length - 1) / start.length;

/**
 * float32[m, dimension] → float64[m, outputs]: values, logits or a logit per class. With `rounds` after so many of the
 * rounds kept, which is what fitting no more of them would have given.
 * @internal
 */
export const predictBoostedTrees = (
  model: BoostedTrees,
  features: Float32Array,
  rounds = roundsOf(model),
): Float64Array => predictTrees(model, features, rounds * model.start.length);

/**
 * Gradient-boosted decision trees, with the second-order splits, the leaf values and the learned side for missing values
 * of XGBoost (Chen & Guestrin, KDD 2016), on histograms of at most 256 bins, grown at the leaf that gains most as in LightGBM
 * (Ke et al., NIPS 2017). In each round the loss is derived at the present scores and one tree per output grown on the
 * derivatives.
 *
 * Departures from XGBoost: the scores start at the mean, the log odds or the log shares of the labels; any gain above
 * rounding is worth a split; derivatives are rounded so that their sums are exact, so unless rows are drawn their order
 * changes nothing, not even a bit. A threshold is a value of the training rows, so a feature that is cut between all of its
 * values counts by their order alone. A value that is missing at a node where none was in training goes right.
 *
 * Throws InputError at options out of range, shapes that do not fit, and labels that the loss does not know.
 */
export function fitBoostedTrees(
  train: BoostedTreesData,
  loss: BoostingLoss,
  options: BoostedTreesOptions,
  valid?: BoostedTreesData,
): BoostedTrees {
  checkOptions(options, loss);
  const { rowFraction = 1, columnFraction = 1, earlyStoppingRounds = Number.POSITIVE_INFINITY } = options;
  const { dimension, labels } = train;
  const outputs = loss === 'softmax' ? options.classes! : 1;
  checkData(train, dimension, loss, outputs);
  if (valid) checkData(valid, dimension, loss, outputs);
  const { start, derive } = boostingLosses[loss];
  const first = start(labels, outputs);
  const binned = binRows(train.features, dimension, options.bins);
  const n = labels.length;
  const scores = repeat(first, n);
  const gradients = new Float64Array(outputs * n);
  const hessians = new Float64Array(outputs * n);
  const validRows = valid?.labels.length ?? 0;
  const validScores = repeat(first, validRows);
  const notNeeded = new Float64Array(validScores.length);
  const spare: Float64Array[] = [];
  const trees: Tree[] = [];
  let kept = valid ? 0 : options.rounds;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < options.rounds; round++) {
    derive(scores, labels, outputs, gradients, hessians);
    const drawn = draw(n, rowFraction, random(options.seed, 'boosting rows', round));
    for (let output = 0; output < outputs; output++) {
      const source = random(options.seed, 'boosting columns', round, output);
      const { features } = binned;
      const columns = Array.from(draw(features.length, columnFraction, source), (column) => features[column]);
      const rows = drawn.slice();
      const pairs = new Float64Array(2 * rows.length);
      copyRounded(gradients.subarray(output * n, (output + 1) * n), rows, pairs, 0);
      copyRounded(hessians.subarray(output * n, (output + 1) * n), rows, pairs, 1);
      const { tree, leaves } = growTree(binned, columns, rows, pairs, options, spare);
      if (rows.length < n) addTree(tree, 0, train.features, dimension, 0, n, scores, output, outputs);
      else {
        for (const { node, begin, end } of leaves) {
          for (let i = begin; i < end; i++) scores[rows[i] * outputs + output] += tree.value[node];
        }
      }
      if (valid) addTree(tree, 0, valid.features, dimension, 0, validRows, validScores, output, outputs);
      trees.push(tree);
    }
    if (!valid) continue;
    const validLoss = derive(validScores, valid.labels, outputs, notNeeded, notNeeded);
    if (validLoss < least) {
      least = validLoss;
      kept = round + 1;
    }
    if (round + 1 - kept >= earlyStoppingRounds) break;
  }
  return joinTrees(dimension, first, trees.slice(0, kept * outputs));
}

/** Writes values[rows], rounded so that sums of them are exact, to column `column` of pairs [rows, 2]. */
function copyRounded(values: Float64Array, rows: Int32Array, pairs: Float64Array, column: number): void {
  const round = rounding(values);
  for (let i = 0; i < rows.length; i++) pairs[2 * i + column] = values[rows[i]] + round - round;
}

/** A share of 0 … n − 1, at least one of them, ascending; each such set is as likely (selection sampling). */
function draw(n: number, share: number, source: Random): Int32Array {
  const drawn = new Int32Array(Math.min(n, Math.max(1, Math.round(share * n))));
  for (let i = 0, count = 0; count < drawn.length; i++) {
    const wanted = drawn.length - count;
    if (wanted === n - i || source.uniform() * (n - i) < wanted) drawn[count++] = i;
  }
  return drawn;
}

function repeat(values: Float64Array, times: number): Float64Array {
  const out = new Float64Array(values.length * times);
  for (let at = 0; at < out.length; at += values.length) out.set(values, at);
  return out;
}

function checkOptions(options: BoostedTreesOptions, loss: BoostingLoss): void {
  const check = (
    names: readonly (keyof BoostedTreesOptions)[],
    low: number,
    high: number,
    whole: boolean,
  ) => {
    for (const name of names) {
      const value = options[name];
      if (value === undefined || (value >= low && value <= high && (!whole || Number.isInteger(value))))
        continue;
      const range = high < Number.MAX_VALUE ? `between ${low} and ${high}` : `from ${low}`;
      throw new InputError(
        `boosted trees: ${name} is ${value}: expected a ${whole ? 'whole ' : ''}number ${range}`,
      );
    }
  };
  check(['rounds', 'earlyStoppingRounds', 'classes'], 1, Number.MAX_VALUE, true);
  check(['maxDepth', 'minRows'], 1, Number.MAX_VALUE, true);
  check(['maxLeaves'], 2, Number.MAX_VALUE, true);
  check(['bins'], 2, 256, true);
  check(['learningRate', 'rowFraction', 'columnFraction'], 1e-9, 1, false);
  check(['minChildWeight', 'l2'], 0, Number.MAX_VALUE, false);
  if (loss === 'softmax' && options.classes === undefined) {
    throw new InputError(
      'boosted trees: the softmax loss needs the number of classes, got none: give classes',
    );
  }
}

function checkData(data: BoostedTreesData, dimension: number, loss: BoostingLoss, outputs: number): void {
  const { features, labels } = data;
  if (data.dimension !== dimension || labels.length === 0 || features.length !== labels.length * dimension) {
    throw new InputError(
      `boosted trees: expected features [${labels.length}, ${dimension}], a row for each label and a label at least, got ${features.length} numbers of dimension ${data.dimension}`,
    );
  }
  const { known, expected } = boostingLosses[loss];
  const bad = labels.findIndex((label) => !known(label, outputs));
  if (bad >= 0) {
    throw new InputError(
      `boosted trees: label ${bad + 1} is ${labels[bad]}: the ${loss} loss expects ${expected}; leave rows without a label out`,
    );
  }
}
