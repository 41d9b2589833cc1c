/**
 * Views of images: a random part of the picture at full size, mirrored or not, brighter or darker, with more or less
 * contrast and colour, grey, blurred. As in SimCLR (Chen et al., ICML 2020) and BYOL (Grill et al., NeurIPS 2020).
 *
 * Departures from their code: the crop has whole shares of the area, not whole pixels; every view is jittered, without a
 * change of hue; and since pixels are standardised, black is not 0, so brightness is a shift and not a factor.
 */

import type { GridSpec } from '../records/token-block.js';
import type { Random } from '../tensor/random.js';

export interface ImageViewOptions {
  /** Share of the image's area that a view shows: the least and the most. */
  readonly area: readonly [number, number];
  /** Width by height of what is shown, 1 being the image's own: the least, at most 1, and the most, at least 1. */
  readonly aspect: readonly [number, number];
  /** Probability that a view is mirrored, left to right. */
  readonly flip: number;
  /** Pixels are shifted together by up to this many standard deviations of the training pixels. */
  readonly brightness: number;
  /** Pixels keep 1 ± up to this much of their distance from the view's mean. */
  readonly contrast: number;
  /** Of three colours: pixels keep 1 ± up to this much of their distance from their own grey. */
  readonly saturation: number;
  /** Of three colours: probability that a view is grey. */
  readonly grayscale: number;
  /** Probability that a view is blurred, by a Gaussian of deviation 0.1 to 2 pixels. */
  readonly blur: number;
}

/** BYOL's jitter and SimCLR's blur; the crops are larger than theirs, as small images hold one small thing. */
export const IMAGE_VIEWS: ImageViewOptions = {
  area: [0.4, 1],
  aspect: [3 / 4, 4 / 3],
  flip: 0.5,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.2,
  grayscale: 0.2,
  blur: 0.5,
};

/** What one view shows of an image, and how. */
export interface ImageView {
  /** The part that is shown: its upper left corner and its sides, as shares of the image's. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly mirrored: boolean;
  /** Added to every pixel. */
  readonly brightness: number;
  /** Factors; 1 changes nothing, a saturation of 0 is grey. */
  readonly contrast: number;
  readonly saturation: number;
  /** Deviation of the blur in pixels; 0 for none. */
  readonly blur: number;
}

/** Draws a view. The same numbers are taken from the stream whatever the options are. */
export function drawImageView(options: ImageViewOptions, stream: Random): ImageView {
  const { uniform } = stream;
  const between = (low: number, high: number) => low + (high - low) * uniform();
  const area = between(options.area[0], options.area[1]);
  // Of the aspects asked for those that fit the image, uniform in their logarithm.
  const aspect = Math.exp(
    between(Math.log(Math.max(options.aspect[0], area)), Math.log(Math.min(options.aspect[1], 1 / area))),
  );
  const height = Math.min(1, Math.sqrt(area / aspect));
  const width = Math.min(1, Math.sqrt(area * aspect));
  const top = between(0, 1 - height);
  const left = between(0, 1 - width);
  const mirrored = uniform() < options.flip;
  const brightness = between(-options.brightness, options.brightness);
  const contrast = between(1 - options.contrast, 1 + options.contrast);
  const jittered = between(1 - options.saturation, 1 + options.saturation);
  const saturation = uniform() < options.grayscale ? 0 : jittered;
  const blurred = uniform() < options.blur;
  const deviation = between(0.1, 2);
  const blur = blurred ? deviation : 0;
  return { top, left, height, width, mirrored, brightness, contrast, saturation, blur };
}

/** How one side of a view is read from the image: line i of it is Σₖ weights[i, k] · (line starts[i] + k of the image). */
interface Axis {
  readonly size: number;
  /** int32[size] */
  readonly starts: Int32Array;
  /** float64[size, taps] */
  readonly weights: Float64Array;
  /** Even. */
  taps: number;
}

const axisOf = (size: number, mostTaps: number): Axis => ({
  size,
  starts: new Int32Array(size),
  weights: new Float64Array(size * mostTaps),
  taps: 0,
});

/**
 * Bilinear reading of the part that begins at `share` of the side and has `length` shares of it, then the symmetric
 * `kernel` over what was read, the outermost repeated: both are weights on the image's own lines, added up here.
 */
function setAxis(axis: Axis, share: number, length: number, mirrored: boolean, kernel: Float64Array): void {
  const { size, starts, weights } = axis;
  const radius = (kernel.length - 1) / 2;
  const last = size - 1;
  // As a view never shrinks the image, its neighbouring lines are at most one of the image's apart.
  const taps = kernel.length + 1;
  const position = (line: number) =>
    Math.max(0, Math.min(last, share * size + (Math.max(0, Math.min(last, line)) + 0.5) * length - 0.5));
  axis.taps = taps;
  weights.fill(0, 0, size * taps);
  for (let i = 0; i < size; i++) {
    const line = mirrored ? last - i : i;
    const start = Math.floor(position(line - radius));
    starts[i] = start;
    for (let k = 0; k < kernel.length; k++) {
      const at = position(line + k - radius);
      const below = Math.floor(at);
      const tap = i * taps + below - start;
      weights[tap] += kernel[k] * (1 - (at - below));
      if (at > below) weights[tap + 1] += kernel[k] * (at - below);
    }
  }
}

/**
 * The lines of a view's side, turned: float32[size, across, colours] → float32[across, size, colours].
 * The last taps may lie beyond the last line, with weight 0: in `from` as many lines of zeros follow.
 */
function readLines(
  from: Float32Array,
  to: Float32Array,
  { size, starts, weights, taps }: Axis,
  across: number,
  colours: number,
): void {
  const [line, step] = [across * colours, size * colours];
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < taps; k += 2) {
      const [one, other] = [weights[i * taps + k], weights[i * taps + k + 1]];
      let at = (starts[i] + k) * line;
      for (let first = i * colours; first < across * step; first += step) {
        for (let next = first; next < first + colours; next++, at++) {
          const read = one * from[at] + other * from[at + line];
          to[next] = k === 0 ? read : to[next] + read;
        }
      }
    }
  }
}

const sharp = Float64Array.of(1);

/** A Gaussian of the given deviation over -radius … radius, of sum 1. */
function setGaussian(kernel: Float64Array, deviation: number): void {
  const radius = (kernel.length - 1) / 2;
  let sum = 0;
  for (let k = 0; k < kernel.length; k++) sum += kernel[k] = Math.exp(-0.5 * ((k - radius) / deviation) ** 2);
  for (let k = 0; k < kernel.length; k++) kernel[k] /= sum;
}

/** Place in a row of tokens of each number of the image float32[height, width, colours]. */
function pixelPlaces({ rows, columns, patch }: GridSpec, colours: number): Int32Array {
  const places = new Int32Array(rows * columns * patch * patch * colours);
  let next = 0;
  for (let y = 0; y < rows * patch; y++) {
    for (let x = 0; x < columns * patch; x++) {
      const token = Math.floor(y / patch) * columns + Math.floor(x / patch);
      const pixel = (y % patch) * patch + (x % patch);
      for (let colour = 0; colour < colours; colour++)
        places[next++] = (token * patch * patch + pixel) * colours + colour;
    }
  }
  return places;
}

function unpack(tokens: Float32Array, places: Int32Array, pixels: Float32Array): void {
  for (let i = 0; i < places.length; i++) pixels[i] = tokens[places[i]];
}

/** Writes `factor * pixel + shift`. */
function pack(
  pixels: Float32Array,
  places: Int32Array,
  tokens: Float32Array,
  factor: number,
  shift: number,
): void {
  for (let i = 0; i < places.length; i++) tokens[places[i]] = factor * pixels[i] + shift;
}

/** Moves the pixels float32[…, 3] towards their grey (ITU-R BT.601): 1 = not at all, 0 = all the way. */
function saturate(pixels: Float32Array, count: number, saturation: number): void {
  for (let i = 0; i < count; i += 3) {
    const grey = 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
    for (let colour = i; colour < i + 3; colour++)
      pixels[colour] = grey + saturation * (pixels[colour] - grey);
  }
}

function meanOf(pixels: Float32Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += pixels[i];
  return sum / count;
}

/**
 * What writes views of images: it reads the tokens float32[tokens, channels] of one image of so many colours, and writes
 * those of a view of it. The blur reaches as far as SimCLR's: a twentieth of the shorter side.
 */
export function imageRenderer(
  grid: GridSpec,
  colours: number,
): (tokens: Float32Array, view: ImageView, out: Float32Array) => void {
  const [height, width] = [grid.rows * grid.patch, grid.columns * grid.patch];
  const kernel = new Float64Array(2 * Math.max(1, Math.floor(Math.min(height, width) / 20)) + 1);
  const mostTaps = kernel.length + 1;
  const [down, along] = [axisOf(height, mostTaps), axisOf(width, mostTaps)];
  const places = pixelPlaces(grid, colours);
  const count = places.length;
  const pixels = new Float32Array((height + mostTaps) * width * colours);
  const turned = new Float32Array((width + mostTaps) * height * colours);

  return (tokens, view, out) => {
    if (view.blur > 0) setGaussian(kernel, view.blur);
    const blur = view.blur > 0 ? kernel : sharp;
    setAxis(down, view.top, view.height, false, blur);
    setAxis(along, view.left, view.width, view.mirrored, blur);
    unpack(tokens, places, pixels);
    readLines(pixels, turned, down, width, colours);
    readLines(turned, pixels, along, height, colours);
    if (colours === 3 && view.saturation !== 1) saturate(pixels, count, view.saturation);
    const shift = view.brightness + (1 - view.contrast) * meanOf(pixels, count);
    pack(pixels, places, out, view.contrast, shift);
  };
}
