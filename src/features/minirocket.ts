/** MiniRocket: shares of a series' steps at which small convolutions exceed quantiles of the training series. */
import { type Random, random } from '../tensor/random.js';
import type { FeatureSet } from './feature-set.js';
import { type SeriesRows, seriesRows } from './series.js';

/** What was fitted, as plain data. */
export interface MiniRocketKernels {
  /** Ascending; all 84 kernels have each of them. */
  readonly dilations: readonly number[];
  /** Features of a kernel at each dilation. */
  readonly featuresOf: readonly number[];
  /** The channels that each kernel sums over, dilation by dilation. */
  readonly channelsOf: readonly (readonly number[])[];
  /** One for each feature: those of a kernel together, kernel by kernel, dilation by dilation. */
  readonly biases: readonly number[];
}

const LENGTH = 9;
/** The places of the three weights of 2 in each kernel; the other six are −1. */
const KERNELS: readonly (readonly [number, number, number])[] = combinationsOfThree(LENGTH);
/** As many features as the paper has: 9,996, a multiple of the 84 kernels. */
const FEATURES = 10_000;
const MOST_DILATIONS = 32;
/** A series cannot be shorter than a kernel. */
export const FEWEST_STEPS = LENGTH;

function combinationsOfThree(n: number): [number, number, number][] {
  const found: [number, number, number][] = [];
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) for (let c = b + 1; c < n; c++) found.push([a, b, c]);
  return found;
}

/** Dilations 2⁰ to (steps − 1) / 8, evenly spaced in the exponent, and how many features a kernel has at each. */
function spreadDilations(steps: number, features: number) {
  const perKernel = Math.floor(features / KERNELS.length);
  const most = Math.min(perKernel, MOST_DILATIONS);
  const exponent = Math.log2((steps - 1) / (LENGTH - 1));
  const counts = new Map<number, number>();
  for (let i = 0; i < most; i++) {
    const dilation = Math.floor(2 ** (i === most - 1 ? exponent : (i * exponent) / Math.max(1, most - 1)));
    counts.set(dilation, (counts.get(dilation) ?? 0) + 1);
  }
  const dilations = [...counts.keys()];
  const featuresOf = [...counts.values()].map((count) => Math.floor((count * perKernel) / most));
  const rest = perKernel - featuresOf.reduce((sum, count) => sum + count, 0);
  for (let i = 0; i < rest; i++) featuresOf[i % featuresOf.length]++;
  return { dilations, featuresOf };
}

/**
 * Chooses channels for each kernel and dilation, 1 to min(channels, 9) of them with their number's logarithm uniform, and takes
 * the biases from quantiles of the convolution of one training series, drawn for each kernel and dilation.
 * @param features at least 84; rounded down to a multiple of that
 * @internal
 */
export function fitMiniRocket(
  { steps, channels, values }: SeriesRows,
  source: Random,
  features = FEATURES,
): MiniRocketKernels {
  const { dilations, featuresOf } = spreadDilations(steps, features);
  const exponent = Math.log2(Math.min(channels, LENGTH) + 1);
  const channelsOf = Array.from({ length: KERNELS.length * dilations.length }, () =>
    draw(channels, Math.floor(2 ** (exponent * source.uniform())), source),
  );
  const size = steps * channels;
  const count = values.length / size;
  const convolution = convolutions(steps, channels);
  const biases: number[] = [];
  dilations.forEach((dilation, d) => {
    KERNELS.forEach((_, kernel) => {
      const drawn = source.integer(count);
      convolution.read(values.subarray(drawn * size, (drawn + 1) * size), dilation);
      const sorted = convolution
        .of(kernel, channelsOf[d * KERNELS.length + kernel])
        .slice()
        .sort();
      for (let i = 0; i < featuresOf[d]; i++) biases.push(quantile(sorted, biases.length + 1));
    });
  });
  return { dilations, featuresOf, channelsOf, biases };
}

/** A low-discrepancy sequence: multiples of the golden ratio, modulo 1. Linear between neighbours. */
function quantile(sorted: Float32Array, multiple: number): number {
  const share = Math.fround((multiple * ((Math.sqrt(5) + 1) / 2)) % 1);
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return Math.fround(sorted[low] + (place - low) * (sorted[high] - sorted[low]));
}

/** `count` different numbers below n, ascending. */
function draw(n: number, count: number, source: Random): number[] {
  const drawn: number[] = [];
  for (let i = 0; i < n && drawn.length < count; i++)
    if (source.uniform() * (n - i) < count - drawn.length) drawn.push(i);
  return drawn;
}

/**
 * Shares of positive steps, float32[count, features]. Every other kernel is not padded, alternating with the dilation.
 * @internal
 */
export function miniRocket(
  { steps, channels, values }: SeriesRows,
  { dilations, featuresOf, channelsOf, biases }: MiniRocketKernels,
): Float32Array {
  const size = steps * channels;
  const count = values.length / size;
  const thresholds = Float32Array.from(biases);
  const rows = new Float32Array(count * thresholds.length);
  const convolution = convolutions(steps, channels);
  for (let record = 0; record < count; record++) {
    const own = values.subarray(record * size, (record + 1) * size);
    let at = 0;
    dilations.forEach((dilation, d) => {
      convolution.read(own, dilation);
      for (let kernel = 0; kernel < KERNELS.length; kernel++) {
        const padded = (d + kernel) % 2 === 0;
        const margin = padded ? 0 : ((LENGTH - 1) * dilation) / 2;
        const all = convolution.of(kernel, channelsOf[d * KERNELS.length + kernel]);
        const scale = 1 / (steps - 2 * margin);
        for (let i = 0; i < featuresOf[d]; i++, at++) {
          const above = countAbove(all, thresholds[at], margin, steps - margin);
          rows[record * thresholds.length + at] = above * scale;
        }
      }
    });
  }
  return rows;
}

function countAbove(values: Float32Array, threshold: number, begin: number, end: number): number {
  let count = 0;
  for (let t = begin; t < end; t++) count += values[t] > threshold ? 1 : 0;
  return count;
}

/** The 84 convolutions of one series at one dilation, zeros beyond its ends. */
function convolutions(steps: number, channels: number) {
  // By channel: the sum of all nine shifts, and each shift.
  const all = new Float64Array(channels * steps);
  const shifted = new Float64Array(channels * LENGTH * steps);
  const sums = new Float64Array(steps);
  const out = new Float32Array(steps);
  return {
    read(values: Float32Array, dilation: number): void {
      all.fill(0);
      shifted.fill(0);
      for (let channel = 0; channel < channels; channel++) {
        for (let place = 0; place < LENGTH; place++) {
          const shift = (place - (LENGTH - 1) / 2) * dilation;
          const start = (channel * LENGTH + place) * steps;
          const last = Math.min(steps, steps - shift);
          for (let t = Math.max(0, -shift); t < last; t++) {
            const value = values[(t + shift) * channels + channel];
            shifted[start + t] = value;
            all[channel * steps + t] += value;
          }
        }
      }
    },
    /** float32[steps], the same array every time: 3 · (three shifts) − all nine, summed over the channels. */
    of(kernel: number, own: readonly number[]): Float32Array {
      const [a, b, c] = KERNELS[kernel];
      sums.fill(0);
      for (const channel of own) {
        const base = channel * LENGTH * steps;
        const [atA, atB, atC] = [base + a * steps, base + b * steps, base + c * steps];
        for (let t = 0; t < steps; t++) {
          sums[t] += 3 * (shifted[atA + t] + shifted[atB + t] + shifted[atC + t]) - all[channel * steps + t];
        }
      }
      out.set(sums);
      return out;
    },
  };
}

const SEED = 0;

/**
 * MiniRocket (Dempster, Schmidt & Webb, KDD 2021) for series of any number of channels as in its authors' code: 84 kernels of nine weights,
 * six of −1 and three of 2, at up to 32 dilations, each with several biases; a feature is the share of steps at which the convolution
 * exceeds the bias. Departures: what a series lacks of the longest is 0, the channel's mean, instead of refused.
 */
export const miniRocketFeatures: FeatureSet = {
  name: 'MiniRocket',
  description: 'shares of the steps at which 84 dilated kernels exceed quantiles of the training series',
  forLinearModels: true,
  fit({ spec, block }) {
    const kernels = fitMiniRocket(seriesRows(spec, block), random(SEED, 'MiniRocket'));
    return { name: 'MiniRocket', dimension: kernels.biases.length, kernels };
  },
  of({ spec, block }, { kernels }) {
    if (!kernels) throw new Error('MiniRocket: a state without kernels');
    return miniRocket(seriesRows(spec, block), kernels);
  },
  made: {
    of: 'values',
    columns: (_, { kernels }) => {
      if (!kernels) throw new Error('MiniRocket: a state without kernels');
      return {
        computation:
          'The series are the standardised values that the tokens have, zeros beyond their ends. A kernel has nine weights, 2 at its three places (counted from 0) and −1 elsewhere, and is summed over its channels. A column is the share of the steps at which its convolution exceeds its bias; where it says "inner steps", only those count at which the whole kernel lies within the series.',
        names: columnNames(kernels),
      };
    },
  },
};

/** What each feature is, in the order of the features. */
function columnNames({ dilations, featuresOf, channelsOf, biases }: MiniRocketKernels): string[] {
  const names: string[] = [];
  dilations.forEach((dilation, d) => {
    KERNELS.forEach((places, kernel) => {
      const channels = channelsOf[d * KERNELS.length + kernel].join('+');
      const steps = (d + kernel) % 2 === 0 ? '' : ', inner steps';
      for (let i = 0; i < featuresOf[d]; i++)
        names.push(
          `dilation ${dilation}, 2 at ${places.join(' ')}, channels ${channels}, above ${biases[names.length]}${steps}`,
        );
    });
  });
  return names;
}
