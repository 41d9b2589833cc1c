/** One token per square patch of an image (or spectrogram): its pixels, standardised by channel. */

import { z } from 'zod';
import { InputError } from '../errors.js';
import type { PixelShape, RecordBatch } from '../records/record-batch.js';
import {
  allPlaces,
  columnOf,
  fittedSchema,
  parseState,
  readTraining,
  singleColumn,
  type Tokenizer,
  type TokenizerFamily,
} from './tokenizer.js';

const DEFAULT_MAX_TOKENS = 256;
/** An image of fewer patches leaves too little to hide; the patch is then not chosen on its own. */
const FEWEST_PATCHES = 16;

const side = z.int().min(1);

const stateSchema = z
  .strictObject({
    kind: z.literal('grid'),
    version: z.literal(1),
    column: z.string(),
    /** Height, width, channels. */
    shape: z.tuple([side, side, side]),
    patch: side,
    /** Per channel, of pixels scaled to 0 … 1. */
    means: z.array(z.number()),
    sds: z.array(z.number().positive()),
    fitted: fittedSchema,
  })
  .refine(
    ({ shape, patch }) => shape[0] % patch === 0 && shape[1] % patch === 0,
    'patch must divide the shape',
  )
  .refine(
    ({ shape, means, sds }) => means.length === shape[2] && sds.length === shape[2],
    'one mean and sd a channel',
  );

type GridState = z.infer<typeof stateSchema>;

const shapeText = (shape: PixelShape) => shape.join(' x ');

function pixelColumn(batch: RecordBatch, name: string, expected?: PixelShape) {
  const column = columnOf(batch, name);
  if (column.type !== 'pixels') {
    throw new InputError(
      `column ${JSON.stringify(name)} holds ${column.type} values; the grid tokenizer reads images`,
    );
  }
  if (expected && shapeText(column.shape) !== shapeText(expected)) {
    throw new InputError(
      `column ${JSON.stringify(name)}: images of ${shapeText(expected)} (height, width, channels) were expected, not ${shapeText(column.shape)}`,
    );
  }
  return column;
}

/** The smallest patch that cuts an image into at most `maxTokens` tokens without a rest. */
function choosePatch([height, width]: PixelShape, patch: number | undefined, maxTokens: number): number {
  const divisors: number[] = [];
  for (let p = 1; p <= Math.min(height, width); p++)
    if (height % p === 0 && width % p === 0) divisors.push(p);
  const tokens = (p: number) => (height / p) * (width / p);
  if (patch !== undefined) {
    if (divisors.includes(patch)) return patch;
    throw new InputError(
      `tokenizer.patch must divide both sides of ${height} x ${width} images: one of ${divisors.join(', ')}, not ${patch}`,
    );
  }
  const chosen = divisors.find((p) => tokens(p) <= maxTokens);
  if (chosen !== undefined && tokens(chosen) >= Math.min(FEWEST_PATCHES, height * width)) return chosen;
  const choices = divisors.map((p) => `${p} (${tokens(p)} tokens)`).join(', ');
  throw new InputError(
    `no square patch cuts ${height} x ${width} images into ${FEWEST_PATCHES} to ${maxTokens} tokens; set tokenizer.patch to one of ${choices}, or resize the images`,
  );
}

export const grid: TokenizerFamily = {
  async fit(batches, { columns, maxTokens = DEFAULT_MAX_TOKENS, patch }) {
    const name = singleColumn('grid', columns);
    let shape: PixelShape | undefined;
    // How often each of the 256 values occurs in each channel: exact, and all that mean and sd need.
    let frequency = new Float64Array(0);
    const records = await readTraining(batches, (batch, count) => {
      const column = pixelColumn(batch, name, shape);
      if (!shape) {
        shape = column.shape;
        frequency = new Float64Array(shape[2] * 256);
      }
      const [height, width, channels] = shape;
      const end = count * height * width * channels;
      for (let channel = 0; channel < channels; channel++) {
        for (let i = channel; i < end; i += channels) frequency[channel * 256 + column.values[i]]++;
      }
      return end;
    });
    // readTraining throws where there is no record, so a shape was seen.
    const seen = shape!;
    const [height, width, channels] = seen;
    const means: number[] = [];
    const sds: number[] = [];
    for (let channel = 0; channel < channels; channel++) {
      const counts = frequency.subarray(channel * 256, (channel + 1) * 256);
      const pixels = records * height * width;
      const mean = counts.reduce((sum, n, level) => sum + n * level, 0) / pixels;
      const variance = counts.reduce((sum, n, level) => sum + n * (level - mean) ** 2, 0) / pixels;
      means.push(mean / 255);
      sds.push(variance > 0 ? Math.sqrt(variance) / 255 : 1);
    }
    const side = choosePatch(seen, patch, maxTokens);
    return gridTokenizer({
      kind: 'grid',
      version: 1,
      column: name,
      shape: [height, width, channels],
      patch: side,
      means,
      sds,
      fitted: {
        records,
        'image (height x width x channels)': shapeText(seen),
        'patch (pixels)': `${side} x ${side}`,
        'mean by channel (0 to 1)': means.map((mean) => mean.toPrecision(4)).join(', '),
        'sd by channel (0 to 1)': sds.map((sd) => sd.toPrecision(4)).join(', '),
      },
    });
  },
  restore: (state) => gridTokenizer(parseState(stateSchema, state)),
};

function gridTokenizer(state: GridState): Tokenizer {
  const { column: name, shape, patch, means, sds } = state;
  const [height, width, channels] = shape;
  const columns = width / patch;
  const tokenRows = height / patch;
  const tokens = tokenRows * columns;
  const tokenChannels = patch * patch * channels;
  // The standardised value of pixel value v in a channel.
  const standardised = new Float32Array(channels * 256);
  for (let channel = 0; channel < channels; channel++) {
    for (let v = 0; v < 256; v++) standardised[channel * 256 + v] = (v / 255 - means[channel]) / sds[channel];
  }

  return {
    kind: 'grid',
    spec: {
      kind: 'continuous',
      channels: tokenChannels,
      maxTokens: tokens,
      grid: { rows: tokenRows, columns, patch },
    },
    columns: [name],
    fitted: state.fitted,

    /** Tokens and their channels are in the order of `GridSpec`. */
    encode(batch, _reject, { places = allPlaces(batch) } = {}) {
      const pixels = pixelColumn(batch, name, shape).values;
      const records = places.length;
      const values = new Float32Array(records * tokens * tokenChannels);
      const patchRow = patch * channels;
      let next = 0;
      for (let record = 0; record < records; record++) {
        const place = places[record];
        for (let token = 0; token < tokens; token++) {
          const top = Math.floor(token / columns) * patch;
          const left = (token % columns) * patch;
          for (let y = top; y < top + patch; y++) {
            const start = ((place * height + y) * width + left) * channels;
            for (let i = start, colour = 0; i < start + patchRow; i++) {
              values[next++] = standardised[colour * 256 + pixels[i]];
              colour = colour + 1 === channels ? 0 : colour + 1;
            }
          }
        }
      }
      const offsets = new Int32Array(records + 1);
      for (let record = 0; record <= records; record++) offsets[record] = record * tokens;
      const rows = Int32Array.from(places, (place) => batch.rows[place]);
      return { count: records, offsets, values, rows };
    },

    /** A pixel value, 0 … 255, not rounded. */
    decode(_position, channel, value) {
      const colour = channel % channels;
      return 255 * (means[colour] + sds[colour] * value);
    },

    tokenLabel(position) {
      const row = Math.floor(position / columns);
      return `${patch === 1 ? 'pixel' : 'patch'} ${row},${position % columns}`;
    },

    toJSON: () => state,
  };
}
