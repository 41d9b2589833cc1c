/** One regression tree on first and second derivatives, grown on histograms; see `fitBoostedTrees`. */
export interface TreeOptions {
  /** Each leaf's share of its Newton step, above 0, at most 1. */
  readonly learningRate: number;
  /** Splits on the way from the root to a leaf, 1 to 16. */
  readonly maxDepth: number;
  /** The least sum of second derivatives in a leaf: for the squared loss a number of rows. */
  readonly minChildWeight: number;
  /** λ of the penalty λ/2 · value² of each leaf. */
  readonly l2: number;
}

/** Nodes in the order they were made, the root first. */
export interface Tree {
  /** The feature a node looks at. */
  readonly feature: Int32Array;
  /** Values below it go left. */
  readonly threshold: Float32Array;
  readonly missingLeft: Uint8Array;
  /** The left child, after which comes the right one; 0 for a leaf. */
  readonly left: Int32Array;
  /** What a leaf adds to the score. */
  readonly value: Float64Array;
}

/** Adds the leaf that each row of features float32[n, dimension] comes to, to column `output` of scores [n, outputs]. */
export function addTree(
  { feature, threshold, missingLeft, left, value }: Tree,
  features: Float32Array,
  dimension: number,
  scores: Float64Array,
  output: number,
  outputs: number,
): void {
  for (let at = output, row = 0; at < scores.length; at += outputs, row += dimension) {
    let node = 0;
    for (let child = left[0]; child !== 0; child = left[node]) {
      const x = features[row + feature[node]];
      const goesLeft = x < threshold[node] || (missingLeft[node] === 1 && Number.isNaN(x));
      node = goesLeft ? child : child + 1;
    }
    scores[at] += value[node];
  }
}

/** A feature of the training rows as numbers of bins. */
export interface BinnedFeature {
  readonly index: number;
  /** Ascending; bin b holds cuts[b − 1] ≤ value < cuts[b]. */
  readonly cuts: Float32Array;
  /** Number of bins: one more than cuts, and a last one for missing values if there are any. */
  readonly size: number;
  /** uint8[n]: the bin of each row */
  readonly bins: Uint8Array;
}

/** Bins features float32[n, dimension], at most `most` (256) bins each; leaves out those that have one value only. */
export function binFeatures(features: Float32Array, dimension: number, most: number): BinnedFeature[] {
  const binned: BinnedFeature[] = [];
  const values = new Float32Array(features.length / dimension);
  for (let index = 0; index < dimension; index++) {
    for (let row = 0; row < values.length; row++) values[row] = features[row * dimension + index];
    const sorted = values.slice().sort();
    let known = sorted.length;
    while (known > 0 && Number.isNaN(sorted[known - 1])) known--;
    const forMissing = Number(known < sorted.length);
    const cuts = quantileCuts(sorted.subarray(0, known), most - forMissing);
    const size = cuts.length + 1 + forMissing;
    if (known === 0 || size === 1) continue;
    const bins = new Uint8Array(values.length);
    for (let row = 0; row < bins.length; row++) bins[row] = binOf(cuts, values[row]);
    binned.push({ index, cuts, size, bins });
  }
  return binned;
}

/** Cuts between all distinct values, or if those are more than `most`, at quantiles, some of which may be one value. */
function quantileCuts(sorted: Float32Array, most: number): Float32Array {
  const distinct = sorted.filter((value, i) => i > 0 && value !== sorted[i - 1]);
  if (distinct.length < most) return distinct;
  const cuts = new Set<number>();
  for (let bin = 1; bin < most; bin++) cuts.add(sorted[Math.floor((bin * sorted.length) / most)]);
  cuts.delete(sorted[0]);
  return Float32Array.from(cuts);
}

/** The number of cuts that are not above the value; one more than all for NaN. */
function binOf(cuts: Float32Array, value: number): number {
  if (Number.isNaN(value)) return cuts.length + 1;
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cuts[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
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
}

/**
 * Grows one tree, depth first, which with no limit but the depth gives the same tree as level by level and needs only
 * one histogram per level. A split moves the rows that go left to the front of the node's range.
 * @param rows int32[m]: the rows to grow on; moved
 * @param pairs float64[m, 2]: first and second derivative of each of them; moved with them
 * @param histograms float64[bins, 2] each: room that is made when first needed and used again for the next tree
 */
export function growTree(
  features: readonly BinnedFeature[],
  rows: Int32Array,
  pairs: Float64Array,
  { maxDepth, minChildWeight, l2, learningRate }: TreeOptions,
  histograms: Float64Array[],
): Tree {
  const size = 2 * features.reduce((sum, feature) => sum + feature.size, 0);
  const movedRows = new Int32Array(rows.length);
  const movedPairs = new Float64Array(pairs.length);
  const most = Math.min(2 ** (maxDepth + 1), 2 * rows.length) - 1;
  const tree: Tree = {
    feature: new Int32Array(most),
    threshold: new Float32Array(most),
    missingLeft: new Uint8Array(most),
    left: new Int32Array(most),
    value: new Float64Array(most),
  };
  let nodes = 1;
  const root = { node: 0, begin: 0, end: rows.length, depth: 0, gradient: 0, hessian: 0 };
  for (let i = 0; i < pairs.length; i += 2) {
    root.gradient += pairs[i];
    root.hessian += pairs[i + 1];
  }
  if (canSplit(root)) sumByBin(root, 0);
  grow(root, 0);
  return tree;

  function canSplit({ depth, hessian }: Node): boolean {
    return depth < maxDepth && hessian >= 2 * minChildWeight;
  }

  /** Slot `slot` holds the histogram of the node if it can be split; the slots after it are free. */
  function grow(node: Node, slot: number): void {
    const split = canSplit(node)
      ? bestSplit(features, histograms[slot], node, minChildWeight, l2)
      : undefined;
    if (!split) {
      const { gradient, hessian } = node;
      const weighs = hessian >= minChildWeight && hessian + l2 > 0;
      tree.value[node.node] = weighs ? (-learningRate * gradient) / (hessian + l2) : 0;
      return;
    }
    const [left, right] = splitNode(node, split);
    const [small, large] = left.end - left.begin < right.end - right.begin ? [left, right] : [right, left];
    if (canSplit(small) || canSplit(large)) {
      sumByBin(small, slot + 1);
      subtract(histograms[slot], histograms[slot + 1], size);
    }
    grow(small, slot + 1);
    grow(large, slot);
  }

  function splitNode({ node, begin, end, depth, gradient, hessian }: Node, split: Split): [Node, Node] {
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
      const own = bins[rows[i]];
      const goesLeft = own < bin || own === also;
      const to = goesLeft ? left++ : right++;
      const toPairs = goesLeft ? pairs : movedPairs;
      (goesLeft ? rows : movedRows)[to] = rows[i];
      toPairs[2 * to] = pairs[2 * i];
      toPairs[2 * to + 1] = pairs[2 * i + 1];
    }
    rows.set(movedRows.subarray(0, right), left);
    pairs.set(movedPairs.subarray(0, 2 * right), 2 * left);
    return left;
  }

  /** Fills a histogram with the sums of the node's derivatives by feature and bin. */
  function sumByBin({ begin, end }: Node, slot: number): void {
    if (!(histograms[slot]?.length >= size)) histograms[slot] = new Float64Array(size);
    histograms[slot].fill(0, 0, size);
    let offset = 0;
    for (const feature of features) {
      addUp(histograms[slot], offset, feature.bins, rows, pairs, begin, end);
      offset += 2 * feature.size;
    }
  }
}

function addUp(
  sums: Float64Array,
  offset: number,
  bins: Uint8Array,
  rows: Int32Array,
  pairs: Float64Array,
  begin: number,
  end: number,
): void {
  for (let i = begin; i < end; i++) {
    const at = offset + 2 * bins[rows[i]];
    sums[at] += pairs[2 * i];
    sums[at + 1] += pairs[2 * i + 1];
  }
}

function subtract(from: Float64Array, what: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) from[i] -= what[i];
}

/** A gain below this share of what the node has already is rounding. */
const ROUNDING = 1e-10;

/**
 * The split of a node with sums G and H that most increases Σ G²/(H + λ) over its sides, with the missing values tried on
 * either; none if nothing increases it. Of equal ones the lowest feature wins,
 * and with missing values right the lowest threshold, else the highest.
 */
function bestSplit(
  features: readonly BinnedFeature[],
  histogram: Float64Array,
  { gradient, hessian }: Node,
  minChildWeight: number,
  l2: number,
): Split | undefined {
  let best = (gradient ** 2 / (hessian + l2)) * (1 + ROUNDING);
  let found: Split | undefined;
  let offset = 0;
  for (const feature of features) {
    const bins = feature.cuts.length + 1;
    const missing = offset + 2 * bins;
    const hasMissing = feature.size > bins && (histogram[missing] !== 0 || histogram[missing + 1] !== 0);
    for (const missingLeft of hasMissing ? [false, true] : [false]) {
      // Sums of the side without the missing values: from the lowest bin up, or from the highest down.
      let g = 0;
      let h = 0;
      const steps = missingLeft ? bins : bins - 1;
      for (let step = 0; step < steps; step++) {
        const bin = missingLeft ? bins - 1 - step : step;
        const at = offset + 2 * bin;
        if (histogram[at] === 0 && histogram[at + 1] === 0) continue;
        g += histogram[at];
        h += histogram[at + 1];
        const restG = gradient - g;
        const restH = hessian - h;
        if (restH < minChildWeight) break;
        if (h < minChildWeight) continue;
        const score = (g * g) / (h + l2) + (restG * restG) / (restH + l2);
        if (!(score > best)) continue;
        best = score;
        found = missingLeft
          ? { feature, bin, missingLeft, gradient: restG, hessian: restH }
          : { feature, bin: bin + 1, missingLeft, gradient: g, hessian: h };
      }
    }
    offset += 2 * feature.size;
  }
  return found;
}
