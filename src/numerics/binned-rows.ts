/** Bins of a feature fit in a byte. */
export const MOST_BINS = 256;

/** A feature of the training rows as numbers of bins. */
export interface BinnedFeature {
  readonly index: number;
  /** Ascending; bin b holds cuts[b − 1] ≤ value < cuts[b]. */
  readonly cuts: Float32Array;
  /** The least value. */
  readonly lowest: number;
  /** Number of bins: one more than cuts, and a last one for missing values if there are any. */
  readonly size: number;
  /** Its first bin among those of all features. */
  readonly first: number;
  /** The bin that most rows are in. */
  readonly commonest: number;
  /** Whether no row lists that bin. */
  readonly leftOut: boolean;
  /** uint8[n]: the bin of each row */
  readonly bins: Uint8Array;
}

/**
 * Training rows by the bins they are in. A bin that many of them are in is left out of their lists, so that columns which are
 * mostly 0, as those of categories and fingerprints are, cost next to nothing.
 */
export interface BinnedRows {
  /** Those that have more than one bin. */
  readonly features: readonly BinnedFeature[];
  /** Bins of all features. */
  readonly size: number;
  /** int32[n + 1]: where each row's list begins */
  readonly offsets: Int32Array;
  /** The listed bins, numbered across all features, ascending in each row. */
  readonly listed: Int32Array;
}

/** Bins features float32[n, dimension], at most `most` (256) bins each, one of them for missing values if it has any. */
export function binRows(features: Float32Array, dimension: number, most: number): BinnedRows {
  const n = features.length / dimension;
  const binned: BinnedFeature[] = [];
  const offsets = new Int32Array(n + 1);
  const values = new Float32Array(n);
  let size = 0;
  for (let index = 0; index < dimension; index++) {
    for (let row = 0; row < n; row++) values[row] = features[row * dimension + index];
    const feature = binFeature(values, index, most, size);
    if (feature.size === 1) continue;
    binned.push(feature);
    size += feature.size;
    const { bins, commonest, leftOut } = feature;
    for (let row = 0; row < n; row++) offsets[row + 1] += Number(!leftOut || bins[row] !== commonest);
  }
  for (let row = 0; row < n; row++) offsets[row + 1] += offsets[row];
  const listed = new Int32Array(offsets[n]);
  const next = offsets.slice(0, n);
  for (const { first, commonest, leftOut, bins } of binned) {
    for (let row = 0; row < n; row++)
      if (!leftOut || bins[row] !== commonest) listed[next[row]++] = first + bins[row];
  }
  return { features: binned, size, offsets, listed };
}

function binFeature(values: Float32Array, index: number, most: number, first: number): BinnedFeature {
  const n = values.length;
  const binary = values.every((value) => value === 0 || value === 1);
  const sorted = binary ? values : values.slice().sort();
  let known = n;
  while (known > 0 && Number.isNaN(sorted[known - 1])) known--;
  const forMissing = Number(known < n);
  const cuts = binary
    ? values.includes(0) && values.includes(1)
      ? Float32Array.of(1)
      : new Float32Array(0)
    : quantileCuts(sorted.subarray(0, known), most - forMissing);
  const size = known === 0 ? 1 : cuts.length + 1 + forMissing;
  const lowest = binary ? 0 : sorted[0];
  const bins = new Uint8Array(n);
  const members = new Int32Array(cuts.length + 2);
  if (size > 1) {
    for (let row = 0; row < n; row++) {
      bins[row] = binOf(cuts, values[row]);
      members[bins[row]]++;
    }
  }
  const commonest = members.indexOf(Math.max(...members));
  const rows = members[commonest];
  const leftOut = rows >= LEAST_SHARE * n || rows >= ROWS_PER_BIN * size;
  return { index, cuts, lowest, size, first, commonest, leftOut, bins };
}

/**
 * A bin is left out where it has this share of the rows, or so many for each bin of its feature: its sums are then found from those of
 * the others, at every node.
 */
const LEAST_SHARE = 1 / 8;
const ROWS_PER_BIN = 12;

/**
 * Cuts of sorted values into at most `most` bins: between all distinct values, or if those are more, so that a value as
 * common as a bin should be has one of its own and the others share the rest evenly.
 */
function quantileCuts(sorted: Float32Array, most: number): Float32Array {
  const starts: number[] = [];
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) starts.push(i);
  if (starts.length <= most) return Float32Array.from(starts.slice(1), (start) => sorted[start]);
  const countOf = (k: number) => (starts[k + 1] ?? sorted.length) - starts[k];
  const share = sorted.length / most;
  let rows = sorted.length;
  let bins = most;
  for (let k = 0; k < starts.length; k++) {
    if (countOf(k) < share) continue;
    rows -= countOf(k);
    bins--;
  }
  const cuts: number[] = [];
  let filled = 0; // rows in the present bin
  for (let k = 0; k < starts.length && cuts.length < most - 1; k++) {
    const own = countOf(k) >= share;
    // A value with a bin of its own ends the one before it; else a bin ends when it is full.
    if (filled > 0 && (own || filled >= rows / Math.max(1, bins))) {
      cuts.push(sorted[starts[k]]);
      rows -= filled;
      bins--;
      filled = 0;
    }
    if (!own) filled += countOf(k);
    else if (k + 1 < starts.length && cuts.length < most - 1) cuts.push(sorted[starts[k + 1]]);
  }
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
