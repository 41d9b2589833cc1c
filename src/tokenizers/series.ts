/** One token per time step of a series, or per patch of consecutive steps: their values, standardised by channel. */

import { z } from 'zod';
import { InputError } from '../errors.js';
import type { RecordBatch } from '../records/record-batch.js';
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
/** A series of fewer tokens leaves too little to hide; the patch is then not chosen on its own. */
const FEWEST_TOKENS = 8;
/** Standardised values are clipped to this many standard deviations, so that one outlier does not rule a batch's loss. */
const CLIP = 10;
/** Facts are told of so many channels. */
const LISTED_CHANNELS = 6;

const count = z.int().min(1);

const stateSchema = z
  .strictObject({
    kind: z.literal('series'),
    version: z.literal(1),
    column: z.string(),
    channels: count,
    /** Steps of a token. */
    patch: count,
    maxTokens: count,
    /** Per channel. */
    means: z.array(z.number()),
    sds: z.array(z.number().positive()),
    fitted: fittedSchema,
  })
  .refine(
    ({ channels, means, sds }) => means.length === channels && sds.length === channels,
    'one mean and sd a channel',
  );

type SeriesState = z.infer<typeof stateSchema>;

function seriesColumn(batch: RecordBatch, name: string, channels?: number) {
  const column = columnOf(batch, name);
  if (column.type !== 'series') {
    throw new InputError(
      `column ${JSON.stringify(name)} holds ${column.type} values; the series tokenizer reads time series`,
    );
  }
  if (channels !== undefined && column.channels !== channels) {
    throw new InputError(
      `column ${JSON.stringify(name)}: series of ${channels} channels were expected, not of ${column.channels}`,
    );
  }
  return column;
}

/** Steps of a token, and the tokens of the longest record: as asked, else the smallest patch that gives at most `most`. */
function choosePatch(longest: number, asked: number | undefined, maxTokens: number | undefined) {
  const tokens = (patch: number) => Math.ceil(longest / patch);
  if (asked !== undefined) {
    if (asked < longest || longest === 1) {
      return { patch: asked, tokens: Math.min(tokens(asked), maxTokens ?? Number.POSITIVE_INFINITY) };
    }
    throw new InputError(
      `tokenizer.patch must be smaller than the ${longest} steps of the longest series, not ${asked}`,
    );
  }
  const most = maxTokens ?? DEFAULT_MAX_TOKENS;
  const patch = Math.ceil(longest / most);
  if (tokens(patch) >= Math.min(FEWEST_TOKENS, longest)) return { patch, tokens: tokens(patch) };
  throw new InputError(
    `tokenizer.max_tokens = ${most} cuts series of ${longest} steps into ${tokens(patch)} tokens of ${patch} steps, fewer than ${FEWEST_TOKENS}; give a larger one, or set tokenizer.patch`,
  );
}

/** Running mean and squared differences of each channel (Welford, 1962), missing values left out. */
class ChannelMoments {
  readonly counts: Float64Array;
  readonly means: Float64Array;
  private readonly squares: Float64Array;
  constructor(private readonly channels: number) {
    this.counts = new Float64Array(channels);
    this.means = new Float64Array(channels);
    this.squares = new Float64Array(channels);
  }

  /** Adds float32[steps, channels]. */
  add(values: Float32Array): void {
    const { channels, counts, means, squares } = this;
    for (
      let i = 0, channel = 0;
      i < values.length;
      i++, channel = channel + 1 === channels ? 0 : channel + 1
    ) {
      const value = values[i];
      if (Number.isNaN(value)) continue;
      const difference = value - means[channel];
      means[channel] += difference / ++counts[channel];
      squares[channel] += difference * (value - means[channel]);
    }
  }

  /** 1 for a channel with one value, as its spread says nothing. */
  deviations(): number[] {
    return Array.from(this.squares, (sum, channel) => Math.sqrt(sum / this.counts[channel]) || 1);
  }
}

const listNumbers = (values: readonly number[]): string => {
  const shown = values.slice(0, LISTED_CHANNELS).map((value) => value.toPrecision(4));
  return [...shown, ...(values.length > LISTED_CHANNELS ? ['…'] : [])].join(', ');
};

export const series: TokenizerFamily = {
  async fit(batches, { columns, maxTokens, patch: asked }) {
    const name = singleColumn('series', columns);
    let moments: ChannelMoments | undefined;
    let channels = 0;
    let steps = 0;
    let shortest = Number.POSITIVE_INFINITY;
    let longest = 0;
    const records = await readTraining(batches, (batch, count) => {
      const { values, offsets, channels: found } = seriesColumn(batch, name, channels || undefined);
      if (!moments) {
        channels = found;
        moments = new ChannelMoments(channels);
      }
      for (let record = 0; record < count; record++) {
        const length = offsets[record + 1] - offsets[record];
        if (length < shortest) shortest = length;
        if (length > longest) longest = length;
      }
      moments.add(values.subarray(0, offsets[count] * channels));
      steps += offsets[count];
      return offsets[count] * channels;
    });
    // readTraining throws where there is no record, so values were seen.
    const { counts, means } = moments!;
    const present = counts.reduce((sum, n) => sum + n, 0);
    if (present === 0) {
      throw new InputError(
        `column ${JSON.stringify(name)} has no value in any of the ${records} training records`,
      );
    }
    const { patch, tokens } = choosePatch(longest, asked, maxTokens);
    const sds = moments!.deviations();
    return seriesTokenizer({
      kind: 'series',
      version: 1,
      column: name,
      channels,
      patch,
      maxTokens: tokens,
      means: [...means],
      sds,
      fitted: {
        records,
        channels,
        'shortest record (steps)': shortest,
        'longest record (steps)': longest,
        'patch (steps)': patch,
        'missing values': steps * channels - present,
        'mean by channel': listNumbers([...means]),
        'sd by channel': listNumbers(sds),
      },
    });
  },
  restore: (state) => seriesTokenizer(parseState(stateSchema, state)),
};

function seriesTokenizer(state: SeriesState): Tokenizer {
  const { column: name, channels, patch, maxTokens, means, sds } = state;
  const tokenChannels = patch * channels;

  return {
    kind: 'series',
    spec: { kind: 'continuous', channels: tokenChannels, maxTokens, patch },
    columns: [name],
    fitted: state.fitted,

    /**
     * The channels of a token are its steps one after the other, each with the channels of the series together: channel
     * `step * channels + channel`. Missing values are 0, the mean, and so is what the last patch lacks. Steps after the
     * first `maxTokens * patch` of a record are cropped.
     */
    encode(batch, reject, { places = allPlaces(batch), onCropped } = {}) {
      const { values: given, offsets: steps } = seriesColumn(batch, name, channels);
      const tokensOf = (place: number) =>
        Math.min(maxTokens, Math.ceil((steps[place + 1] - steps[place]) / patch));
      let most = 0;
      for (let i = 0; i < places.length; i++) most += tokensOf(places[i]);
      const values = new Float32Array(most * tokenChannels);
      const offsets = new Int32Array(places.length + 1);
      const rows = new Int32Array(places.length);
      let count = 0;
      for (let i = 0; i < places.length; i++) {
        const place = places[i];
        const tokens = tokensOf(place);
        const start = steps[place] * channels;
        const length = Math.min(steps[place + 1] * channels - start, tokens * tokenChannels);
        let next = offsets[count] * tokenChannels;
        let present = 0;
        for (let at = 0, channel = 0; at < length; at++, next++) {
          const z = (given[start + at] - means[channel]) / sds[channel];
          if (!Number.isNaN(z)) {
            values[next] = Math.max(-CLIP, Math.min(CLIP, z));
            present++;
          }
          channel = channel + 1 === channels ? 0 : channel + 1;
        }
        if (present === 0) {
          reject?.(batch.rows[place], name, 'the series has no value');
          continue;
        }
        if (steps[place + 1] - steps[place] > maxTokens * patch) onCropped?.(batch.rows[place], name);
        rows[count++] = batch.rows[place];
        offsets[count] = offsets[count - 1] + tokens;
      }
      return {
        count,
        offsets: offsets.slice(0, count + 1),
        values: values.subarray(0, offsets[count] * tokenChannels),
        rows: rows.slice(0, count),
      };
    },

    /** A value in the units of the series, exact up to float32 and the clipping at 10 sd. */
    decode(_position, channel, value) {
      return means[channel % channels] + sds[channel % channels] * value;
    },

    tokenLabel(position) {
      const first = position * patch + 1;
      return patch === 1 ? `step ${first}` : `steps ${first} – ${first + patch - 1}`;
    },

    toJSON: () => state,
  };
}
