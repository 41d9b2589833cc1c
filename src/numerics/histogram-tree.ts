import { type BinnedFeature, type BinnedRows, MOST_BINS } from './binned-rows.js';
import type { Tree } from './tree-ensemble.js';

/** One regression tree on first and second derivatives, grown on histograms; see `fitBoostedTrees`. */
export interface TreeOptions {
  /** Each leaf's share of its Newton step, above 0, at most 1. */
  readonly learningRate: number;
  /** The most leaves of a tree, 2 or more. */
  readonly maxLeaves: number;
  /** Splits on the way from the root to a leaf. Default: any number. */
  readonly maxDepth?: number;
  /**
   * The least number of rows in a leaf, taken from the share of the node's second derivatives that is in it, as LightGBM
   * does: exact for the squared loss.
   */
  readonly minRows: number;
  /** The least sum of second derivatives in a leaf: for the squared loss a number of rows. */
  readonly minChildWeight: number;
  /** λ of the penalty λ/2 · value² of each leaf. */
  readonly l2: number;
}

/** A range of the rows, which are at a node, and the sums of their derivatives. */
interface Node {
  readonly node: number;
  readonly begin: number;
  readonly end: number;
  readonly depth: number;
  readonly gradient: number;
  readonly hessian: number;
}

interface Split {
  readonly feature: BinnedFeature;
  /** Bins below it go left. */
  readonly bin: number;
  readonly missingLeft: boolean;
  /** Sums of the left side. */
  readonly gradient: number;
  readonly hessian: number;
  /** What Σ G²/(H + λ) gains by it. */
  readonly gain: number;
}

/** A leaf that can be split, with the histogram of its rows unless these are few. */
interface OpenLeaf extends Node {
  readonly split: Split;
  readonly histogram?: Float64Array;
}

/** A tree, and where its leaves have their rows. */
export interface GrownTree {
  readonly tree: Tree;
  /** Leaf `node` has the rows at `begin` … `end` of the rows it was grown on. */
  readonly leaves: readonly Pick<Node, 'node' | 'begin' | 'end'>[];
}

/**
 * Grows one tree, each time at the leaf that gains most. A split moves the rows that go left to the front of the node's
 * range; of the two sides the one with fewer rows is summed up, and the other is what remains of their parent. Where a node has
 * few rows and these list most features, each feature's rows are summed up by themselves: most bins of a histogram would be empty.
 * @param features those to split on
 * @param rows int32[m]: the rows to grow on; moved
 * @param pairs float64[m, 2]: first and second derivative of each of them; moved with them
 * @param spare room for histograms, float64[size, 2] each, made when needed and used again for the next tree
 */
export function growTree(
  binned: BinnedRows,
  features: readonly BinnedFeature[],
  rows: Int32Array,
  pairs: Float64Array,
  options: TreeOptions,
  spare: Float64Array[],
): GrownTree {
  const {
    maxLeaves,
    maxDepth = Number.POSITIVE_INFINITY,
    minRows,
    minChildWeight,
    l2,
    learningRate,
  } = options;
  const movedRows = new Int32Array(rows.length);
  const movedPairs = new Float64Array(pairs.length);
  const most = 2 * Math.min(maxLeaves, rows.length) - 1;
  const tree: Tree = {
    feature: new Int32Array(most),
    threshold: new Float32Array(most),
    missingLeft: new Uint8Array(most),
    left: new Int32Array(most),
    value: new Float64Array(most),
  };
  const open: OpenLeaf[] = [];
  const leaves: Node[] = [];
  const root = { node: 0, begin: 0, end: rows.length, depth: 0, gradient: 0, hessian: 0 };
  for (let i = 0; i < pairs.length; i += 2) {
    root.gradient += pairs[i];
    root.hessian += pairs[i + 1];
  }
  let nodes = 1;
  const present = presentBins();
  const { size, features: all, listed, offsets } = binned;
  const dense = listed.length >= LISTED * all.length * (offsets.length - 1);
  const few = dense ? (FEW * size) / all.length : 0;
  if (canSplit(root)) consider(root, isSmall(root) ? undefined : sumByBin(root));
  else leaves.push(root);
  for (let count = 1; count < maxLeaves && open.length > 0; count++) {
    const leaf = takeBest();
    const [left, right] = splitNode(leaf);
    const [small, large] = left.end - left.begin < right.end - right.begin ? [left, right] : [right, left];
    const needed = count + 1 < maxLeaves && (canSplit(small) || canSplit(large));
    if (!needed) {
      free(leaf.histogram);
      leaves.push(left, right);
    } else if (leaf.histogram && !isSmall(large)) {
      const sums = sumByBin(small);
      subtract(leaf.histogram, sums);
      consider(small, sums);
      consider(large, leaf.histogram);
    } else {
      free(leaf.histogram);
      consider(small);
      consider(large);
    }
  }
  for (const leaf of open) free(leaf.histogram);
  leaves.push(...open);
  for (const { node, gradient, hessian } of leaves) {
    const weighs = hessian >= minChildWeight && hessian + l2 > 0;
    tree.value[node] = weighs ? (-learningRate * gradient) / (hessian + l2) : 0;
  }
  return {
    tree: {
      feature: tree.feature.slice(0, nodes),
      threshold: tree.threshold.slice(0, nodes),
      missingLeft: tree.missingLeft.slice(0, nodes),
      left: tree.left.slice(0, nodes),
      value: tree.value.slice(0, nodes),
    },
    leaves,
  };

  function canSplit({ begin, end, depth, hessian }: Node): boolean {
    return depth < maxDepth && end - begin >= 2 * minRows && hessian >= 2 * minChildWeight;
  }

  function isSmall({ begin, end }: Node): boolean {
    return end - begin < few;
  }

  function free(histogram: Float64Array | undefined): void {
    if (histogram) spare.push(histogram);
  }

  /** Looks for the node's split; without one the node stays a leaf and its histogram is free. */
  function consider(node: Node, histogram?: Float64Array): void {
    const rowWeight = node.hessian / (node.end - node.begin);
    const least = Math.max(minChildWeight, minRows > 1 ? (minRows - 0.5) * rowWeight : 0);
    const find = histogram
      ? (feature: BinnedFeature) => present.ofHistogram(feature, histogram)
      : (feature: BinnedFeature) => present.ofRows(feature, rows, pairs, node.begin, node.end);
    const split = canSplit(node) ? bestSplit(features, find, present, node, least, l2) : undefined;
    if (split) open.push({ ...node, split, histogram });
    else {
      free(histogram);
      leaves.push(node);
    }
  }

  /** Takes out the leaf that gains most; of equal ones the one made first. */
  function takeBest(): OpenLeaf {
    let best = 0;
    for (let i = 1; i < open.length; i++) {
      const more = open[i].split.gain - open[best].split.gain;
      if (more > 0 || (more === 0 && open[i].node < open[best].node)) best = i;
    }
    return open.splice(best, 1)[0];
  }

  function splitNode({ node, begin, end, depth, gradient, hessian, split }: OpenLeaf): [Node, Node] {
    const { feature, bin, missingLeft } = split;
    const left = nodes;
    nodes += 2;
    tree.feature[node] = feature.index;
    tree.threshold[node] = bin > 0 ? feature.cuts[bin - 1] : Number.NEGATIVE_INFINITY;
    tree.missingLeft[node] = Number(missingLeft);
    tree.left[node] = left;
    const middle = partition(feature.bins, bin, missingLeft ? feature.cuts.length + 1 : -1, begin, end);
    const below = { gradient: split.gradient, hessian: split.hessian };
    const above = { gradient: gradient - below.gradient, hessian: hessian - below.hessian };
    return [
      { node: left, begin, end: middle, depth: depth + 1, ...below },
      { node: left + 1, begin: middle, end, depth: depth + 1, ...above },
    ];
  }

  /** Moves the rows of bins below `bin`, and of bin `also`, to the front of the range; returns where the others begin. */
  function partition(bins: Uint8Array, bin: number, also: number, begin: number, end: number): number {
    let left = begin;
    let right = 0;
    for (let i = begin; i < end; i++) {
      const row = rows[i];
      const own = bins[row];
      const gradient = pairs[2 * i];
      const hessian = pairs[2 * i + 1];
      if (own < bin || own === also) {
        rows[left] = row;
        pairs[2 * left] = gradient;
        pairs[2 * left + 1] = hessian;
        left++;
      } else {
        movedRows[right] = row;
        movedPairs[2 * right] = gradient;
        movedPairs[2 * right + 1] = hessian;
        right++;
      }
    }
    rows.set(movedRows.subarray(0, right), left);
    pairs.set(movedPairs.subarray(0, 2 * right), 2 * left);
    return left;
  }

  /** The sums of the node's derivatives by bin, float64[size, 2]. */
  function sumByBin({ begin, end, gradient, hessian }: Node): Float64Array {
    const sums = spare.pop() ?? new Float64Array(2 * binned.size);
    sums.fill(0);
    addUp(sums, binned, rows, pairs, begin, end);
    for (const feature of features) if (feature.leftOut) addCommonest(sums, feature, gradient, hessian);
    return sums;
  }
}

function addUp(
  sums: Float64Array,
  { offsets, listed }: BinnedRows,
  rows: Int32Array,
  pairs: Float64Array,
  begin: number,
  end: number,
): void {
  for (let i = begin; i < end; i++) {
    const row = rows[i];
    const gradient = pairs[2 * i];
    const hessian = pairs[2 * i + 1];
    const last = offsets[row + 1];
    for (let k = offsets[row]; k < last; k++) {
      const at = 2 * listed[k];
      sums[at] += gradient;
      sums[at + 1] += hessian;
    }
  }
}

/** The bin that is left out of the lists has what the others leave of the node's sums. */
function addCommonest(
  sums: Float64Array,
  { first, size, commonest }: BinnedFeature,
  gradient: number,
  hessian: number,
): void {
  let g = gradient;
  let h = hessian;
  for (let at = 2 * first; at < 2 * (first + size); at += 2) {
    g -= sums[at];
    h -= sums[at + 1];
  }
  sums[2 * (first + commonest)] = g;
  sums[2 * (first + commonest) + 1] = h;
}

/** So much of all that rows could list makes a table dense. */
const LISTED = 0.5;
/** A node of a dense table has few rows where they are fewer than so many times the bins of a feature. */
const FEW = 2;

/** The bins of one feature that have rows of a node, ascending, that of missing values last, and the sums of their derivatives. */
interface PresentBins {
  readonly bins: Int32Array;
  /** float64[bins, 2] */
  readonly sums: Float64Array;
  /** Both fill them and return the number of bins. */
  ofHistogram(feature: BinnedFeature, histogram: Float64Array): number;
  ofRows(feature: BinnedFeature, rows: Int32Array, pairs: Float64Array, begin: number, end: number): number;
}

function presentBins(): PresentBins {
  const bins = new Int32Array(MOST_BINS);
  const sums = new Float64Array(2 * MOST_BINS);
  const byBin = new Float64Array(2 * MOST_BINS);
  const words = new Int32Array(MOST_BINS / 32); // a bit for each bin
  return {
    bins,
    sums,
    ofHistogram({ first, size }, histogram) {
      let count = 0;
      for (let bin = 0; bin < size; bin++) {
        const gradient = histogram[2 * (first + bin)];
        const hessian = histogram[2 * (first + bin) + 1];
        if (gradient === 0 && hessian === 0) continue;
        bins[count] = bin;
        sums[2 * count] = gradient;
        sums[2 * count + 1] = hessian;
        count++;
      }
      return count;
    },
    ofRows({ bins: own }, rows, pairs, begin, end) {
      for (let i = begin; i < end; i++) {
        const bin = own[rows[i]];
        byBin[2 * bin] += pairs[2 * i];
        byBin[2 * bin + 1] += pairs[2 * i + 1];
        words[bin >> 5] |= 1 << (bin & 31);
      }
      let count = 0;
      for (let at = 0; at < words.length; at++) {
        for (let word = words[at]; word !== 0; word &= word - 1) {
          const bin = 32 * at + 31 - Math.clz32(word & -word);
          bins[count] = bin;
          sums[2 * count] = byBin[2 * bin];
          sums[2 * count + 1] = byBin[2 * bin + 1];
          byBin[2 * bin] = 0;
          byBin[2 * bin + 1] = 0;
          count++;
        }
        words[at] = 0;
      }
      return count;
    },
  };
}

function subtract(from: Float64Array, what: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] -= what[i];
}

/** A gain below this share of what the node has already is rounding. */
const ROUNDING = 1e-10;

/** More than what rounding changes in a score. */
const SLACK = 1e-12;

/** Whether g²/h + restG²/restH is below a score, without the divisions, of which there would be two at every threshold. */
const cannotBeat = (g: number, h: number, restG: number, restH: number, score: number): boolean =>
  g * g * restH + restG * restG * h < score * h * restH;

/**
 * The split of a node with sums G and H that most increases Σ G²/(H + λ) over its sides, with the missing values tried on
 * either; none if nothing increases it. `find` fills `bins` and `sums` for a feature. Of equal ones the lowest feature wins,
 * and with missing values right the lowest threshold, else the highest.
 */
function bestSplit(
  features: readonly BinnedFeature[],
  find: (feature: BinnedFeature) => number,
  { bins, sums }: PresentBins,
  { gradient, hessian }: Node,
  leastHessian: number,
  l2: number,
): Split | undefined {
  const present = gradient ** 2 / (hessian + l2);
  let best = present * (1 + ROUNDING);
  let nearlyBest = best * (1 - SLACK);
  let bestFeature: BinnedFeature | undefined;
  let bestBin = 0;
  let missingLeft = false;
  let bestG = 0;
  let bestH = 0;
  for (const feature of features) {
    const count = find(feature);
    const missing = count > 0 && bins[count - 1] === feature.cuts.length + 1;
    const known = missing ? count - 1 : count;
    // Sums of the side without the missing values: from the lowest bin up, or from the highest down.
    let g = 0;
    let h = 0;
    // The highest bin can go left only of missing values.
    for (let i = 0; i < known; i++) {
      if (bins[i] === feature.cuts.length) break;
      g += sums[2 * i];
      h += sums[2 * i + 1];
      if (h < leastHessian) continue;
      const restG = gradient - g;
      const restH = hessian - h;
      if (restH < leastHessian) break;
      if (cannotBeat(g, h + l2, restG, restH + l2, nearlyBest)) continue;
      const score = (g * g) / (h + l2) + (restG * restG) / (restH + l2);
      if (!(score > best)) continue;
      best = score;
      nearlyBest = best * (1 - SLACK);
      bestFeature = feature;
      bestBin = bins[i] + 1;
      missingLeft = false;
      bestG = g;
      bestH = h;
    }
    if (!missing) continue;
    g = 0;
    h = 0;
    // At bin 0 all that is known is on one side and what is missing on the other.
    for (let i = known - 1; i >= 0; i--) {
      g += sums[2 * i];
      h += sums[2 * i + 1];
      if (h < leastHessian) continue;
      const restG = gradient - g;
      const restH = hessian - h;
      if (restH < leastHessian) break;
      if (cannotBeat(g, h + l2, restG, restH + l2, nearlyBest)) continue;
      const score = (g * g) / (h + l2) + (restG * restG) / (restH + l2);
      if (!(score > best)) continue;
      best = score;
      nearlyBest = best * (1 - SLACK);
      bestFeature = feature;
      bestBin = bins[i];
      missingLeft = true;
      bestG = restG;
      bestH = restH;
    }
  }
  return (
    bestFeature && {
      feature: bestFeature,
      bin: bestBin,
      missingLeft,
      gradient: bestG,
      hessian: bestH,
      gain: best - present,
    }
  );
}
