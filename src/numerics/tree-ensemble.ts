import { InputError } from '../errors.js';

/**
 * Binary trees over features, whose leaves are added up: boosted trees and forests alike, as plain arrays. The nodes of all
 * trees lie one after another; within a tree they have the order they were made in, its root first.
 */
export interface TreeEnsemble {
  /** Features of a row. */
  readonly dimension: number;
  /** float64[outputs]: what every row starts from. */
  readonly start: Float64Array;
  /** int32[trees + 1]: where the nodes of each tree begin. */
  readonly offsets: Int32Array;
  /** The feature a node looks at. */
  readonly feature: Int32Array;
  /** Values below it go left. */
  readonly threshold: Float32Array;
  /** 1 where a missing value goes left. */
  readonly missingLeft: Uint8Array;
  /** The left child, after which comes the right one, counted from the tree's root; 0 for a leaf. */
  readonly left: Int32Array;
  /**
   * float64[nodes] or float64[nodes, outputs]: what a leaf adds. With one number a node, tree t adds to output t modulo
   * outputs; else each tree adds to all of them.
   */
  readonly value: Float64Array;
}

/** One tree of an ensemble. */
export type Tree = Pick<TreeEnsemble, 'feature' | 'threshold' | 'missingLeft' | 'left' | 'value'>;

/** The trees in order, as one ensemble. */
export function joinTrees(dimension: number, start: Float64Array, trees: readonly Tree[]): TreeEnsemble {
  const offsets = new Int32Array(trees.length + 1);
  trees.forEach(({ left }, i) => {
    offsets[i + 1] = offsets[i] + left.length;
  });
  const nodes = offsets[trees.length];
  const width = trees.length > 0 ? trees[0].value.length / trees[0].left.length : 1;
  const ensemble = {
    dimension,
    start,
    offsets,
    feature: new Int32Array(nodes),
    threshold: new Float32Array(nodes),
    missingLeft: new Uint8Array(nodes),
    left: new Int32Array(nodes),
    value: new Float64Array(nodes * width),
  };
  trees.forEach((tree, i) => {
    ensemble.feature.set(tree.feature, offsets[i]);
    ensemble.threshold.set(tree.threshold, offsets[i]);
    ensemble.missingLeft.set(tree.missingLeft, offsets[i]);
    ensemble.left.set(tree.left, offsets[i]);
    ensemble.value.set(tree.value, offsets[i] * width);
  });
  return ensemble;
}

/** Rows that go through a tree at a time: their features stay in the cache. */
const BLOCK_ROWS = 128;

/**
 * The outputs of an ensemble, or of its first `trees`, for features float32[m, dimension], where NaN is missing:
 * float64[m, outputs]. Throws InputError where the features are no whole rows.
 */
export function predictTrees(
  ensemble: TreeEnsemble,
  features: Float32Array,
  trees = ensemble.offsets.length - 1,
): Float64Array {
  const { dimension, start, offsets } = ensemble;
  const rows = features.length / dimension;
  if (!Number.isInteger(rows)) {
    throw new InputError(`trees: ${features.length} numbers are no rows of ${dimension} features`);
  }
  const outputs = start.length;
  const out = new Float64Array(rows * outputs);
  for (let at = 0; at < out.length; at += outputs) out.set(start, at);
  for (let first = 0; first < rows; first += BLOCK_ROWS) {
    const last = Math.min(rows, first + BLOCK_ROWS);
    for (let tree = 0; tree < Math.min(trees, offsets.length - 1); tree++) {
      addTree(ensemble, offsets[tree], features, dimension, first, last, out, tree % outputs, outputs);
    }
  }
  return out;
}

/**
 * Adds the leaves that rows `first` … `last` of the features come to in the tree whose nodes begin at `root`, to scores
 * [n, outputs]: to column `output` where leaves have one number, else to all columns.
 */
export function addTree(
  { feature, threshold, missingLeft, left, value }: Tree,
  root: number,
  features: Float32Array,
  dimension: number,
  first: number,
  last: number,
  scores: Float64Array,
  output: number,
  outputs: number,
): void {
  const single = value.length === left.length;
  for (let row = first; row < last; row++) {
    const own = row * dimension;
    let node = root;
    for (let child = left[root]; child !== 0; child = left[node]) {
      const x = features[own + feature[node]];
      // biome-ignore lint/suspicious/noSelfCompare: only NaN is not itself
      const goesLeft = x < threshold[node] || (x !== x && missingLeft[node] === 1);
      node = root + (goesLeft ? child : child + 1);
    }
    if (single) scores[row * outputs + output] += value[node];
    else for (let k = 0; k < outputs; k++) scores[row * outputs + k] += value[node * outputs + k];
  }
}
