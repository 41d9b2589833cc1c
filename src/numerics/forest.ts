import { InputError } from '../errors.js';
import { random } from '../tensor/random.js';
import { type BinnedFeature, type BinnedRows, binRows } from './binned-rows.js';
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
    return grow(rows, source.integer(2 ** 24) + 1);
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

interface Split {
  readonly feature: BinnedFeature;
  readonly bin: number;
  readonly missingLeft: boolean;
}

/** A function that grows a tree on rows, which it moves, with the draws of a generator that starts at `state`. */
function treeGrower(
  { features, size, offsets, listed }: BinnedRows,
  { outputs, column, amount }: Targets,
  { trees, thresholds, featureFraction, minRows }: ForestOptions,
): (rows: Int32Array, state: number) => Tree {
  const stride = outputs + 1; // the targets' sums, then the number of rows
  const sums = new Float64Array(size * stride);
  // Where rows list much more than is tried, the columns that are tried are summed one by one.
  const byColumn = listed.length > 1.5 * featureFraction * features.length * column.length;
  const touched = new Int32Array(size); // the bins with rows of the node
  const featureOf = new Int32Array(size);
  features.forEach(({ first, size: own }, i) => {
    featureOf.fill(i, first, first + own);
  });
  const present = new Int32Array(features.length); // features with a touched bin
  const lastNode = new Int32Array(features.length).fill(-1);
  const total = new Float64Array(stride);
  const side = new Float64Array(stride);
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
  let best: Split | undefined;
  let varied = false; // whether a feature was tried that is not constant at the node

  /** Uniform in [0, 1): xorshift32 (Marsaglia 2003), for a draw at every feature of every node. */
  function uniform(): number {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    return (word >>> 0) / 2 ** 32;
  }

  return (rows, state) => {
    word = state;
    let nodes = 1;
    const pending: [node: number, begin: number, end: number][] = [[0, 0, rows.length]];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const [at, begin, end] = next;
      const split = findSplit(rows, begin, end);
      node.left[at] = 0;
      for (let k = 0; k < outputs; k++) node.value[at * outputs + k] = total[k] / (end - begin) / trees;
      if (!split) continue;
      const { feature, bin, missingLeft } = split;
      const middle = partition(rows, split, begin, end);
      node.feature[at] = feature.index;
      node.threshold[at] = bin > 0 ? feature.cuts[bin - 1] : Number.NEGATIVE_INFINITY;
      node.missingLeft[at] = Number(missingLeft);
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

  function partition(
    rows: Int32Array,
    { feature, bin, missingLeft }: Split,
    begin: number,
    end: number,
  ): number {
    const { bins, cuts } = feature;
    const also = missingLeft ? cuts.length + 1 : -1;
    let left = begin;
    let right = 0;
    for (let i = begin; i < end; i++) {
      const row = rows[i];
      if (bins[row] < bin || bins[row] === also) rows[left++] = row;
      else moved[right++] = row;
    }
    rows.set(moved.subarray(0, right), left);
    return left;
  }

  /** Sums the node's targets to `total`, and finds its split unless it is pure or too small. */
  function findSplit(rows: Int32Array, begin: number, end: number): Split | undefined {
    total.fill(0);
    let pure = true;
    for (let i = begin; i < end; i++) {
      const row = rows[i];
      total[column[row]] += amount[row];
      pure &&= column[row] === column[rows[begin]] && amount[row] === amount[rows[begin]];
    }
    total[outputs] = end - begin;
    if (pure || end - begin < 2 * minRows) return undefined;
    const count = byColumn ? 0 : sumByBin(rows, begin, end);
    visits++;
    let shown = 0;
    if (byColumn) while (shown < features.length) present[shown] = shown++;
    for (let i = 0; i < count; i++) {
      const feature = featureOf[touched[i]];
      if (lastNode[feature] === visits) continue;
      lastNode[feature] = visits;
      present[shown++] = feature;
    }
    bestScore = 0;
    for (let k = 0; k < outputs; k++) bestScore += (total[k] * total[k]) / total[outputs];
    bestScore += 1e-12 * Math.abs(bestScore);
    best = undefined;
    varied = false;
    // Those that are not tried come to the front, in case that nothing is found.
    let left = 0;
    for (let i = 0; i < shown; i++) {
      const feature = present[i];
      if (featureFraction < 1 && uniform() >= featureFraction) present[left++] = feature;
      else tryFeature(features[feature], rows, begin, end);
    }
    // Where all that were tried are constant here, others are drawn until one is not.
    while (!varied && left > 0) {
      const drawn = Math.floor(uniform() * left);
      tryFeature(features[present[drawn]], rows, begin, end);
      present[drawn] = present[--left];
    }
    for (let i = 0; i < count; i++) sums.fill(0, touched[i] * stride, (touched[i] + 1) * stride);
    return best;
  }

  /** Fills `sums` for the bins that rows list, and names these in `touched`; returns their number. */
  function sumByBin(rows: Int32Array, begin: number, end: number): number {
    let count = 0;
    for (let i = begin; i < end; i++) {
      const row = rows[i];
      const own = column[row];
      const value = amount[row];
      const last = offsets[row + 1];
      for (let k = offsets[row]; k < last; k++) {
        const bin = listed[k];
        const at = bin * stride;
        if (sums[at + outputs] === 0) touched[count++] = bin;
        sums[at + own] += value;
        sums[at + outputs] += 1;
      }
    }
    return count;
  }

  function tryFeature(feature: BinnedFeature, rows: Int32Array, from: number, to: number): void {
    const { first, size: own, commonest, leftOut, cuts } = feature;
    const begin = first * stride;
    if (byColumn) sumColumn(feature.bins, begin, rows, from, to);
    else if (leftOut) sumCommonest(begin, own, begin + commonest * stride);
    const bins = cuts.length + 1;
    const missing = own > bins && sums[begin + bins * stride + outputs] > 0;
    if (thresholds === 'random') tryRandom(feature, begin, bins, missing);
    else {
      tryAll(feature, begin, bins, false);
      if (missing) tryAll(feature, begin, bins, true);
    }
    if (byColumn) sums.fill(0, begin, begin + own * stride);
    else if (leftOut) sums.fill(0, begin + commonest * stride, begin + (commonest + 1) * stride);
  }

  function sumColumn(bins: Uint8Array, begin: number, rows: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const row = rows[i];
      const at = begin + bins[row] * stride;
      sums[at + column[row]] += amount[row];
      sums[at + outputs] += 1;
    }
  }

  /** The bin that no row lists has what the others leave of the total. */
  function sumCommonest(begin: number, own: number, common: number): void {
    for (let k = 0; k < stride; k++) {
      let rest = total[k];
      for (let at = begin + k; at < begin + own * stride; at += stride) rest -= sums[at];
      sums[common + k] = rest;
    }
  }

  function tryAll(feature: BinnedFeature, begin: number, bins: number, missingLeft: boolean): void {
    side.fill(0);
    if (missingLeft) addToSide(begin + bins * stride);
    for (let bin = 0; bin < bins; bin++) {
      const at = begin + bin * stride;
      // A cut below a bin without rows is the same as below the next that has some.
      if (side[outputs] >= minRows && sums[at + outputs] > 0) offer(feature, bin, missingLeft);
      if (total[outputs] - side[outputs] < minRows) return;
      if (sums[at + outputs] === 0) continue;
      if (sums[at + outputs] < total[outputs]) varied = true;
      addToSide(at);
    }
  }

  function tryRandom(feature: BinnedFeature, begin: number, bins: number, missing: boolean): void {
    const { cuts, lowest } = feature;
    const edgeOf = (bin: number) => (bin === 0 ? lowest : cuts[bin - 1]);
    let low = 0;
    let high = bins - 1;
    while (low < bins && sums[begin + low * stride + outputs] === 0) low++;
    while (high > low && sums[begin + high * stride + outputs] === 0) high--;
    if (low >= high) {
      if (!missing || low === bins) return;
      varied = true;
      // All that is missing against all that is known.
      side.fill(0);
      addToSide(begin + bins * stride);
      offer(feature, 0, true);
      return;
    }
    varied = true;
    const drawn = edgeOf(low) + uniform() * (edgeOf(high) - edgeOf(low));
    let bin = low + 1;
    while (bin < high && edgeOf(bin) <= drawn) bin++;
    const missingLeft = missing && uniform() < 0.5;
    side.fill(0);
    if (missingLeft) addToSide(begin + bins * stride);
    for (let b = low; b < bin; b++) addToSide(begin + b * stride);
    offer(feature, bin, missingLeft);
  }

  function addToSide(at: number): void {
    for (let k = 0; k < stride; k++) side[k] += sums[at + k];
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
    if (!(score > bestScore) && !(thresholds === 'random' && !best)) return;
    bestScore = score;
    best = { feature, bin, missingLeft };
  }
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
