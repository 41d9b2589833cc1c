import { InputError } from '../errors.js';
import { random } from '../tensor/random.js';
import { type BinnedFeature, type BinnedRows, binRows, MOST_BINS } from './binned-rows.js';
import { joinTrees, type Tree, type TreeEnsemble } from './tree-ensemble.js';

export interface ForestOptions {
  readonly trees: number;
  /**
   * `best`: each tree on as many rows as there are, drawn with replacement, split where it is best (random forest);
   * `random`: each on all rows, every feature tried at one threshold drawn between its least and greatest value (extra trees).
   */
  readonly thresholds: 'best' | 'random';
  /** The probability of a feature to be tried at a node, above 0, at most 1; at least one is. */
  readonly featureFraction: number;
  /** The least number of rows in a leaf. */
  readonly minRows: number;
  /** Bins per feature, 2 to 256. */
  readonly bins: number;
  /** Decides what is drawn and nothing else. */
  readonly seed: number;
  /** Number of classes; without it labels are values. */
  readonly classes?: number;
}

/**
 * Random forest (Breiman, Machine Learning 2001) or extremely randomised trees (Geurts et al., Machine Learning 2006) on
 * features float32[n, dimension], where NaN is missing: the average of trees that are grown until their leaves are pure.
 * One output that is the mean of the labels, or one per class that is its mean share. Splits are those that reduce the
 * variance most, for classes the Gini impurity.
 *
 * Departures: features are cut into at most 256 bins, and each is tried at a node with a probability instead of a fixed
 * number of them; missing values go to the better side, or in extra trees to either.
 *
 * Throws InputError at options out of range and shapes that do not fit.
 */
export function fitForest(
  train: { readonly features: Float32Array; readonly dimension: number; readonly labels: Float64Array },
  options: ForestOptions,
): TreeEnsemble {
  const { features, dimension, labels } = train;
  const { trees, bins, seed, classes } = options;
  check(train, options);
  const n = labels.length;
  const outputs = classes ?? 1;
  const mean = classes === undefined ? labels.reduce((sum, label) => sum + label / n, 0) : 0;
  const targets: Targets = {
    outputs,
    // A value is in the only column; a class is 1 in its own.
    column: classes === undefined ? new Int32Array(n) : Int32Array.from(labels),
    amount: classes === undefined ? labels.map((label) => label - mean) : new Float64Array(n).fill(1),
  };
  const grow = treeGrower(binRows(features, dimension, bins), targets, options);
  const grown = Array.from({ length: trees }, (_, tree) => {
    const source = random(seed, 'forest', tree);
    const rows = Int32Array.from({ length: n }, (__, row) =>
      options.thresholds === 'best' ? source.integer(n) : row,
    );
    // In order they are quicker to read.
    return grow(rows.sort(), source.integer(2 ** 24) + 1);
  });
  return joinTrees(dimension, new Float64Array(outputs).fill(mean), grown);
}

interface Targets {
  readonly outputs: number;
  /** int32[n]: which of a row's targets is not 0 */
  readonly column: Int32Array;
  /** float64[n]: that target */
  readonly amount: Float64Array;
}

/** A node has few rows where they are fewer: then all bins of a row are read one after another, which stay in the cache. */
const FEW_ROWS = 256;

/** A function that grows a tree on rows, which it moves, with the draws of a generator that starts at `state`. */
function treeGrower(
  { features, size, offsets, listed }: BinnedRows,
  { outputs, column, amount }: Targets,
  { trees, thresholds, featureFraction, minRows }: ForestOptions,
): (rows: Int32Array, state: number) => Tree {
  const stride = outputs + 1; // the targets' sums, then the number of rows
  // Where rows list much more than is tried, the columns that are tried are summed one by one.
  const byColumn = listed.length > 1.5 * featureFraction * features.length * column.length;
  const byRow = byColumn ? binsByRow(features, column.length) : new Uint8Array(0);
  const sums = new Float64Array(byColumn ? 0 : size * stride); // of all features' bins
  const touched = new Int32Array(byColumn ? 0 : size); // those with rows of the node
  const featureOf = new Int32Array(size);
  features.forEach(({ first, size: own }, i) => {
    featureOf.fill(i, first, first + own);
  });
  const untried = new Int32Array(features.length);
  const present = new Int32Array(features.length); // features with a touched bin
  const lastNode = new Int32Array(features.length).fill(-1);
  const columnAt = new Int32Array(column.length); // of the node's rows
  const amountAt = new Float64Array(column.length);
  // The bins of one feature that have rows of the node, ascending, that of missing values last, and their sums.
  const bins = new Int32Array(MOST_BINS);
  const binSums = new Float64Array(MOST_BINS * stride);
  const byBin = new Float64Array(MOST_BINS * stride);
  const words = new Int32Array(MOST_BINS / 32); // a bit for each bin
  const total = new Float64Array(stride);
  const side = new Float64Array(stride);
  const logPassed = Math.log1p(-featureFraction);
  const most = 2 * column.length - 1;
  const node = {
    feature: new Int32Array(most),
    threshold: new Float32Array(most),
    missingLeft: new Uint8Array(most),
    left: new Int32Array(most),
    value: new Float64Array(most * outputs),
  };
  const moved = new Int32Array(column.length);
  let word = 1;
  let visits = 0;
  let bestScore = 0;
  let bestFeature: BinnedFeature | undefined;
  let bestBin = 0;
  let bestMissingLeft = false;
  let varied = false; // whether a feature was tried that is not constant at the node

  /** Uniform in [0, 1): xorshift32 (Marsaglia 2003), which costs next to nothing. */
  function uniform(): number {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    return (word >>> 0) / 2 ** 32;
  }

  /** How many features are passed over before one is tried, where each is tried with the probability that is asked for. */
  function passedOver(): number {
    return featureFraction < 1 ? Math.floor(Math.log(1 - uniform()) / logPassed) : 0;
  }

  return (rows, state) => {
    word = state;
    let nodes = 1;
    const pending: [node: number, begin: number, end: number][] = [[0, 0, rows.length]];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const [at, begin, end] = next;
      findSplit(rows, begin, end);
      node.left[at] = 0;
      for (let k = 0; k < outputs; k++) node.value[at * outputs + k] = total[k] / (end - begin) / trees;
      if (!bestFeature) continue;
      const middle = partition(rows, bestFeature, begin, end);
      node.feature[at] = bestFeature.index;
      node.threshold[at] = bestBin > 0 ? bestFeature.cuts[bestBin - 1] : Number.NEGATIVE_INFINITY;
      node.missingLeft[at] = Number(bestMissingLeft);
      node.left[at] = nodes;
      pending.push([nodes + 1, middle, end], [nodes, begin, middle]);
      nodes += 2;
    }
    return {
      feature: node.feature.slice(0, nodes),
      threshold: node.threshold.slice(0, nodes),
      missingLeft: node.missingLeft.slice(0, nodes),
      left: node.left.slice(0, nodes),
      value: node.value.slice(0, nodes * outputs),
    };
  };

  /** Moves the rows that go left by the best split to the front of the range; returns where the others begin. */
  function partition(rows: Int32Array, { bins, cuts }: BinnedFeature, begin: number, end: number): number {
    const also = bestMissingLeft ? cuts.length + 1 : -1;
    let left = begin;
    let right = 0;
    for (let i = begin; i < end; i++) {
      const row = rows[i];
      if (bins[row] < bestBin || bins[row] === also) rows[left++] = row;
      else moved[right++] = row;
    }
    rows.set(moved.subarray(0, right), left);
    return left;
  }

  /** Sums the node's targets to `total`, and finds its best split unless it is pure or too small. */
  function findSplit(rows: Int32Array, begin: number, end: number): void {
    bestFeature = undefined;
    total.fill(0);
    let pure = true;
    for (let i = begin; i < end; i++) {
      const own = column[rows[i]];
      const value = amount[rows[i]];
      columnAt[i - begin] = own;
      amountAt[i - begin] = value;
      total[own] += value;
      pure &&= own === columnAt[0] && value === amountAt[0];
    }
    total[outputs] = end - begin;
    if (pure || end - begin < 2 * minRows) return;
    bestScore = 0;
    for (let k = 0; k < outputs; k++) bestScore += (total[k] * total[k]) / total[outputs];
    bestScore += 1e-12 * Math.abs(bestScore);
    varied = false;
    const count = byColumn ? 0 : sumByBin(rows, begin, end);
    const shown = byColumn ? features.length : presentFeatures(count);
    let left = 0;
    let next = passedOver();
    for (let i = 0; i < shown; i++) {
      const feature = byColumn ? i : present[i];
      if (i < next) untried[left++] = feature;
      else {
        tryFeature(feature, rows, begin, end);
        next = i + 1 + passedOver();
      }
    }
    // Where all that were tried are constant here, others are drawn until one is not.
    while (!varied && left > 0) {
      const drawn = Math.floor(uniform() * left);
      tryFeature(untried[drawn], rows, begin, end);
      untried[drawn] = untried[--left];
    }
    for (let i = 0; i < count; i++) sums.fill(0, touched[i] * stride, (touched[i] + 1) * stride);
  }

  /** Fills `sums` for the bins that rows list, and names these in `touched`; returns their number. */
  function sumByBin(rows: Int32Array, begin: number, end: number): number {
    let count = 0;
    for (let i = begin; i < end; i++) {
      const own = columnAt[i - begin];
      const value = amountAt[i - begin];
      const last = offsets[rows[i] + 1];
      for (let k = offsets[rows[i]]; k < last; k++) {
        const bin = listed[k];
        const at = bin * stride;
        if (sums[at + outputs] === 0) touched[count++] = bin;
        sums[at + own] += value;
        sums[at + outputs] += 1;
      }
    }
    return count;
  }

  /** Names the features of the first `count` touched bins in `present`; returns their number. */
  function presentFeatures(count: number): number {
    visits++;
    let shown = 0;
    for (let i = 0; i < count; i++) {
      const feature = featureOf[touched[i]];
      if (lastNode[feature] === visits) continue;
      lastNode[feature] = visits;
      present[shown++] = feature;
    }
    return shown;
  }

  function tryFeature(place: number, rows: Int32Array, begin: number, end: number): void {
    const feature = features[place];
    const count = byColumn ? binsOfRows(place, rows, begin, end) : binsOfSums(feature);
    const missing = bins[count - 1] === feature.cuts.length + 1;
    const known = missing ? count - 1 : count;
    // Constant, be it missing.
    if (count === 1) return;
    varied = true;
    if (thresholds === 'random') tryRandom(feature, known, missing);
    else {
      tryAll(feature, known, false);
      if (missing) tryAll(feature, known, true);
    }
  }

  /** Both fill `bins` and `binSums` with those of a feature, and return their number. */
  function binsOfRows(place: number, rows: Int32Array, begin: number, end: number): number {
    const { bins: ofColumn, commonest, leftOut } = features[place];
    const few = end - begin < FEW_ROWS;
    const values = few ? byRow : ofColumn;
    const step = few ? features.length : 1;
    const offset = few ? place : 0;
    const skipped = leftOut ? commonest : -1;
    let summed = 0;
    for (let i = begin; i < end; i++) {
      const bin = values[rows[i] * step + offset];
      if (bin === skipped) continue;
      const at = bin * stride;
      byBin[at + columnAt[i - begin]] += amountAt[i - begin];
      byBin[at + outputs] += 1;
      words[bin >> 5] |= 1 << (bin & 31);
      summed++;
    }
    if (summed < end - begin) words[skipped >> 5] |= 1 << (skipped & 31);
    let count = 0;
    let common = -1;
    for (let at = 0; at < words.length; at++) {
      for (let left = words[at]; left !== 0; left &= left - 1) {
        const bin = 32 * at + 31 - Math.clz32(left & -left);
        if (bin === skipped) common = count;
        for (let k = 0; k < stride; k++) {
          binSums[count * stride + k] = byBin[bin * stride + k];
          byBin[bin * stride + k] = 0;
        }
        bins[count++] = bin;
      }
      words[at] = 0;
    }
    if (common >= 0) giveRest(binSums, 0, count * stride, common * stride);
    return count;
  }

  function binsOfSums({ first, size: own, commonest, leftOut }: BinnedFeature): number {
    const begin = first * stride;
    const common = begin + commonest * stride;
    if (leftOut) giveRest(sums, begin, begin + own * stride, common);
    let count = 0;
    for (let bin = 0; bin < own; bin++) {
      const at = begin + bin * stride;
      if (sums[at + outputs] === 0) continue;
      for (let k = 0; k < stride; k++) binSums[count * stride + k] = sums[at + k];
      bins[count++] = bin;
    }
    if (leftOut) sums.fill(0, common, common + stride);
    return count;
  }

  /** The bin at `common`, whose sums are 0, has what the others leave of the total. */
  function giveRest(sums: Float64Array, begin: number, end: number, common: number): void {
    for (let k = 0; k < stride; k++) {
      let rest = total[k];
      for (let at = begin + k; at < end; at += stride) rest -= sums[at];
      sums[common + k] = rest;
    }
  }

  function tryAll(feature: BinnedFeature, known: number, missingLeft: boolean): void {
    side.fill(0);
    if (missingLeft) addToSide(known);
    for (let i = 0; i < known; i++) {
      if (total[outputs] - side[outputs] < minRows) return;
      if (side[outputs] >= minRows) offer(feature, bins[i], missingLeft);
      addToSide(i);
    }
  }

  function tryRandom(feature: BinnedFeature, known: number, missing: boolean): void {
    side.fill(0);
    if (known === 1) {
      // All that is missing against all that is known.
      addToSide(known);
      offer(feature, 0, true);
      return;
    }
    const { cuts, lowest } = feature;
    const edgeOf = (bin: number) => (bin === 0 ? lowest : cuts[bin - 1]);
    const [low, high] = [bins[0], bins[known - 1]];
    const drawn = edgeOf(low) + uniform() * (edgeOf(high) - edgeOf(low));
    let bin = low + 1;
    while (bin < high && edgeOf(bin) <= drawn) bin++;
    const missingLeft = missing && uniform() < 0.5;
    if (missingLeft) addToSide(known);
    for (let i = 0; bins[i] < bin; i++) addToSide(i);
    offer(feature, bin, missingLeft);
  }

  function addToSide(bin: number): void {
    for (let k = 0; k < stride; k++) side[k] += binSums[bin * stride + k];
  }

  function offer(feature: BinnedFeature, bin: number, missingLeft: boolean): void {
    const below = side[outputs];
    const above = total[outputs] - below;
    if (below < minRows || above < minRows) return;
    let score = 0;
    for (let k = 0; k < outputs; k++) {
      const rest = total[k] - side[k];
      score += (side[k] * side[k]) / below + (rest * rest) / above;
    }
    // Extra trees take the best of the drawn splits, whether or not it helps by itself.
    if (!(score > bestScore) && !(thresholds === 'random' && !bestFeature)) return;
    bestScore = score;
    bestFeature = feature;
    bestBin = bin;
    bestMissingLeft = missingLeft;
  }
}

/** uint8[rows, features]: the bins of each row. */
function binsByRow(features: readonly BinnedFeature[], rows: number): Uint8Array {
  const byRow = new Uint8Array(rows * features.length);
  features.forEach(({ bins }, i) => {
    for (let row = 0; row < rows; row++) byRow[row * features.length + i] = bins[row];
  });
  return byRow;
}

function check(
  { features, dimension, labels }: Parameters<typeof fitForest>[0],
  { trees, featureFraction, minRows, bins, classes }: ForestOptions,
): void {
  const whole = (name: string, value: number, low: number, high = Number.POSITIVE_INFINITY) => {
    if (Number.isInteger(value) && value >= low && value <= high) return;
    const range = high < Number.POSITIVE_INFINITY ? `between ${low} and ${high}` : `from ${low}`;
    throw new InputError(`forest: ${name} is ${value}: expected a whole number ${range}`);
  };
  whole('trees', trees, 1);
  whole('minRows', minRows, 1);
  whole('bins', bins, 2, 256);
  if (classes !== undefined) whole('classes', classes, 1);
  if (!(featureFraction > 0 && featureFraction <= 1)) {
    throw new InputError(
      `forest: featureFraction is ${featureFraction}: expected a number above 0, at most 1`,
    );
  }
  if (labels.length === 0 || features.length !== labels.length * dimension) {
    throw new InputError(
      `forest: expected features [${labels.length}, ${dimension}], a row for each label and a label at least, got ${features.length} numbers`,
    );
  }
  const bad = labels.findIndex((label) =>
    classes === undefined
      ? !Number.isFinite(label)
      : !(Number.isInteger(label) && label >= 0 && label < classes),
  );
  if (bad >= 0) {
    throw new InputError(
      `forest: label ${bad + 1} is ${labels[bad]}: expected ${classes === undefined ? 'finite numbers' : `class numbers from 0 below ${classes}`}; leave rows without a label out`,
    );
  }
}
