/**
 * Views for objectives that compare representations: each row of a batch several times, changed a little every time.
 * Where nothing is known of the domain, some tokens are hidden, some are replaced by others of the batch (SCARF, Bahri
 * et al., ICLR 2022; VIME, Yoon et al., NeurIPS 2020), and values get noise. Images are cropped, mirrored and coloured.
 */

import type { Batch } from '../records/batch.js';
import { PRESENT_ID, type TokenSpec } from '../records/token-block.js';
import type { Random } from '../tensor/random.js';
import { drawImageView, IMAGE_VIEWS, type ImageViewOptions, imageRenderer } from './image-views.js';
import { hiddenCount, roundHalfToEven } from './masked-autoencoding.js';

/** `count` views of each row of a batch, stacked view by view: row `v * size + r` is view v of row r. */
export interface Views {
  /** int32[count * size, tokens] */
  readonly ids?: Int32Array;
  /** float32[count * size, tokens, channels] */
  readonly values?: Float32Array;
  /** int32[count * size] */
  readonly lengths: Int32Array;
  /** bool[count * size, tokens]: true = hidden from the encoder; nothing is replaced there, and no noise added. */
  readonly dropped: Uint8Array;
}

export interface ViewOptions {
  /** Views of each row. */
  readonly count: number;
  /** Share of a row's tokens that is hidden; at least one is left. */
  readonly drop?: number;
  /** Share of a row's tokens in sight that is replaced. */
  readonly swap?: number;
  /** Deviation of the noise on values, in standard deviations of the training data. */
  readonly noise?: number;
  /** How images are changed; false: as if they were none. */
  readonly image?: Partial<ImageViewOptions> | false;
}

/** What is done to tokens where the options do not say. */
export const TOKEN_VIEWS = { drop: 0.25, swap: 0.2, noise: 0.1 };
/** Likewise of images, which are cropped and coloured. */
const IMAGE_TOKEN_VIEWS = { drop: 0, swap: 0, noise: 0 };

/** Whether rows are images, whose views are cropped and coloured. */
export const isImage = (spec: TokenSpec): boolean => spec.kind === 'continuous' && spec.grid !== undefined;

const gridOf = (spec: TokenSpec, { image }: ViewOptions) =>
  spec.kind === 'continuous' && image !== false ? spec.grid : undefined;

function tokenViewOptions(spec: TokenSpec, options: ViewOptions) {
  const usual = gridOf(spec, options) ? IMAGE_TOKEN_VIEWS : TOKEN_VIEWS;
  const { drop = usual.drop, swap = usual.swap, noise = usual.noise } = options;
  return { drop, swap, noise };
}

/** How many tokens are hidden in a view of a row of `length` tokens. */
export function droppedCount(spec: TokenSpec, length: number, options: ViewOptions): number {
  const { drop } = tokenViewOptions(spec, options);
  return drop === 0 ? 0 : hiddenCount(spec, length, drop);
}

/** Draws what replaces a token of a row: its place in int32[size, tokens]. */
type Replacement = (row: number, token: number, stream: Random) => number;

/** Any real token of the batch, each as likely as another. */
export function anyToken({ rows, tokens, lengths }: Batch): Replacement {
  const places = new Int32Array(rows * tokens);
  let count = 0;
  for (let row = 0; row < rows; row++)
    for (let token = 0; token < lengths[row]; token++) places[count++] = row * tokens + token;
  return (_row, _token, { uniform }) => places[Math.floor(uniform() * count)];
}

/** The token at the same position of any other row that is long enough; itself where there is none. */
export function sameTokenElsewhere({ rows, tokens, lengths }: Batch): Replacement {
  // Of rows from the longest to the shortest, those that have a token at a position come first.
  const longest = Array.from({ length: rows }, (_, row) => row).sort((a, b) => lengths[b] - lengths[a]);
  const rank = new Int32Array(rows);
  const having = new Int32Array(tokens);
  for (const [place, row] of longest.entries()) {
    rank[row] = place;
    having.fill(place + 1, 0, lengths[row]);
  }
  return (row, token, { uniform }) => {
    const other = Math.floor(uniform() * (having[token] - 1));
    const place = having[token] === 1 ? rank[row] : other < rank[row] ? other : other + 1;
    return longest[place] * tokens + token;
  };
}

/** What writes a view of one image float32[tokens, channels], where rows are images. */
function imageWriter(spec: TokenSpec, options: ViewOptions) {
  const grid = gridOf(spec, options);
  if (spec.kind !== 'continuous' || !grid) return undefined;
  const image = { ...IMAGE_VIEWS, ...options.image };
  const render = imageRenderer(grid, spec.channels / grid.patch ** 2);
  return (tokens: Float32Array, stream: Random, out: Float32Array) =>
    render(tokens, drawImageView(image, stream), out);
}

/** Puts `count` of 0 … length - 1, drawn without replacement, first in `order` (Fisher–Yates, as far as is needed). */
function chooseFirst(order: Int32Array, length: number, count: number, { uniform }: Random): void {
  if (count === 0) return;
  for (let i = 0; i < length; i++) order[i] = i;
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(uniform() * (length - i));
    const chosen = order[j];
    order[j] = order[i];
    order[i] = chosen;
  }
}

/** Noise on the values in sight of tokens `start` to before `end`. */
function addNoise(
  { ids, values, dropped }: Views,
  start: number,
  end: number,
  deviation: number,
  stream: Random,
): void {
  const channels = values!.length / dropped.length;
  for (let token = start; token < end; token++) {
    if (dropped[token] || (ids && ids[token] !== PRESENT_ID)) continue;
    for (let i = token * channels; i < (token + 1) * channels; i++)
      if (ids || values![i] !== 0) values![i] += deviation * stream.normal();
  }
}

/**
 * Draws the views of a batch. `source` gives each view of a row its numbers, so that a row depends on the others only
 * through what it takes from them.
 *
 * A token in sight is replaced whole, a missing cell by a present one too: by the token at the same position of another
 * row, drawn for each token anew, or left where no other row is that long. Positions of rows of ids do not correspond
 * (the tenth letters of two sequences have nothing in common), so their tokens are replaced by any of the batch.
 * Noise is added to the values in sight that are there: not to categories and missing cells, nor to a value of exactly 0
 * in a token vector, which is how tokenizers write a missing one.
 * Rows that only fill the batch up are copies of row 0 here, too.
 */
export function drawViews(
  spec: TokenSpec,
  batch: Batch,
  options: ViewOptions,
  source: (purpose: string, row: number) => Random,
): Views {
  const { rows, size, tokens } = batch;
  const { count } = options;
  const { swap, noise } = tokenViewOptions(spec, options);
  const ids = batch.ids && new Int32Array(count * size * tokens);
  const values = batch.values && new Float32Array(count * batch.values.length);
  const lengths = new Int32Array(count * size);
  const dropped = new Uint8Array(count * size * tokens);
  const views = { ids, values, lengths, dropped };
  const channels = values ? values.length / dropped.length : 0;
  const width = tokens * channels;
  const writeImage = imageWriter(spec, options);
  const replacement = spec.kind === 'discrete' ? anyToken(batch) : sameTokenElsewhere(batch);
  const order = new Int32Array(tokens);
  for (let view = 0; view < count; view++) {
    const first = view * size;
    lengths.set(batch.lengths, first);
    ids?.set(batch.ids!, first * tokens);
    if (!writeImage) values?.set(batch.values!, first * width);
    for (let row = 0; row < rows; row++) {
      const stream = source(`view ${view}`, row);
      if (writeImage) {
        const out = values!.subarray((first + row) * width, (first + row + 1) * width);
        writeImage(batch.values!.subarray(row * width, (row + 1) * width), stream, out);
      }
      const start = (first + row) * tokens;
      const length = batch.lengths[row];
      const drop = droppedCount(spec, length, options);
      const changed = drop + roundHalfToEven(swap * (length - drop));
      chooseFirst(order, length, changed, stream);
      for (let i = 0; i < drop; i++) dropped[start + order[i]] = 1;
      for (let i = drop; i < changed; i++) {
        const [from, to] = [replacement(row, order[i], stream), start + order[i]];
        if (ids) ids[to] = batch.ids![from];
        for (let c = 0; c < channels; c++) values![to * channels + c] = batch.values![from * channels + c];
      }
      if (values && noise > 0) addNoise(views, start, start + length, noise, stream);
    }
    for (let row = rows; row < size; row++) {
      const [from, to] = [first + (row % rows), first + row];
      ids?.copyWithin(to * tokens, from * tokens, (from + 1) * tokens);
      values?.copyWithin(to * width, from * width, (from + 1) * width);
      dropped.copyWithin(to * tokens, from * tokens, (from + 1) * tokens);
    }
  }
  return views;
}
