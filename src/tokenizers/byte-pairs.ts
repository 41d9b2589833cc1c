/** One token per frequent run of bytes of a text column, learned from the training records; see `byte-pair-merges.ts`. */

import { z } from 'zod';
import { InputError } from '../errors.js';
import type { OptionsOf } from '../options.js';
import {
  applyMerges,
  fromBytes,
  learnMerges,
  lettersBegun,
  type Merge,
  type MergeRanks,
  mergeRanks,
  toBytes,
  tokenBytes,
} from './byte-pair-merges.js';
import { checkNotEmpty, checkTextOptions, LONGEST, TextLengths, textColumn } from './text-column.js';
import {
  allPlaces,
  fittedSchema,
  parseState,
  readTraining,
  singleColumn,
  type Tokenizer,
  type TokenizerFamily,
} from './tokenizer.js';

/** Ids that are not tokens of text, as those of `sequence`; byte b has id `FIRST + b`, merge k `FIRST + 256 + k`. */
const PADDING = 0;
const FIRST = 2;
const BYTES = 256;

const DEFAULT_VOCABULARY = 2000;
const LARGEST_VOCABULARY = 65_000;

/** Merges are learned from so many letters at most, of records that lie evenly among those that are read. */
const SAMPLED_LETTERS = 4_000_000;

/** Pieces whose tokens are remembered, and the letters that one of them has at most. */
const [REMEMBERED, REMEMBERED_LETTERS] = [100_000, 32];

/** A word or number with the space before it, a run of signs, or white space: no token crosses their ends (Radford et al., 2019). */
const WORDS = / ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Its own configuration keys. */
export interface BytePairsOptions {
  /** The most tokens that are learned, the 256 bytes among them. */
  readonly vocabulary?: number;
}

const options: OptionsOf<BytePairsOptions> = {
  vocabulary: {
    type: z
      .int()
      .min(BYTES + 1)
      .max(LARGEST_VOCABULARY)
      .optional(),
    description: 'most tokens that are learned, the 256 bytes among them (byte-pairs)',
    example: DEFAULT_VOCABULARY,
  },
};

/** Bytes of all tokens together: a merge may double the longest, sixty-five thousand times. */
const LONGEST_TOKENS = 1 << 26;

/** Whether the tokens of merges that are each of earlier ones can be written out. */
function isWritable(merges: readonly Merge[]): boolean {
  const lengths = new Float64Array(BYTES + merges.length).fill(1, 0, BYTES);
  let all = 0;
  for (const [rank, [left, right]] of merges.entries()) {
    lengths[BYTES + rank] = lengths[left] + lengths[right];
    all += lengths[BYTES + rank];
  }
  return all <= LONGEST_TOKENS;
}

const stateSchema = z
  .strictObject({
    kind: z.literal('byte-pairs'),
    version: z.literal(1),
    column: z.string(),
    /** Whether texts are cut into words, which no token crosses, or are whole. */
    pieces: z.enum(['words', 'records']),
    /** Pairs of tokens in the order in which they became one: a byte b < 256, or 256 + the place of an earlier merge. */
    merges: z
      .array(z.tuple([z.int().min(0), z.int().min(0)]).readonly())
      .max(LARGEST_VOCABULARY - BYTES)
      .refine(
        (merges) => merges.every(([left, right], rank) => Math.max(left, right) < BYTES + rank),
        'must each be of bytes and earlier merges',
      )
      .refine(isWritable, `must make tokens of at most ${LONGEST_TOKENS >> 20} MiB together`),
    /** The bytes that fitting saw, in ascending order. */
    bytes: z.array(z.int().min(0).max(255)).min(1),
    maxTokens: z.int().min(1).max(LONGEST),
    fitted: fittedSchema,
  })
  .readonly();

type BytePairsState = z.infer<typeof stateSchema>;

export const bytePairs: TokenizerFamily = {
  options,
  async fit(batches, { columns, maxTokens, patch, own = {} }) {
    const column = singleColumn('byte-pairs', columns);
    checkTextOptions('byte-pairs', { maxTokens, patch });
    const vocabulary = z.int().safeParse(own.vocabulary ?? DEFAULT_VOCABULARY).data ?? 0;
    if (vocabulary <= BYTES || vocabulary > LARGEST_VOCABULARY) {
      throw new InputError(
        `tokenizer.vocabulary must be a whole number from ${BYTES + 1} to ${LARGEST_VOCABULARY}, not ${String(own.vocabulary)}`,
      );
    }
    const sample = new Sample();
    const seen = new Uint8Array(BYTES);
    let empty = 0;
    const records = await readTraining(batches, (batch, count) => {
      const texts = textColumn(batch, column, 'byte-pairs');
      let letters = 0;
      for (let row = 0; row < count; row++) {
        const text = texts[row];
        if (!text) {
          empty++;
          continue;
        }
        for (const byte of toBytes(text)) seen[byte] = 1;
        sample.add(text);
        letters += text.length;
      }
      return letters;
    });
    checkNotEmpty(column, records, empty);
    const { texts } = sample;
    const spaced = texts.filter((text) => /\s/.test(text.trim())).length;
    const pieces = 2 * spaced >= texts.length ? 'words' : 'records';
    const counts = new Map<string, number>();
    for (const text of texts)
      for (const piece of piecesOf(text, pieces)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
    const merges = learnMerges(counts, vocabulary - BYTES);
    const tokensOf = pieceTokens(mergeRanks(merges));
    const lengths = new TextLengths();
    let [bytes, tokens] = [0, 0];
    for (const text of texts) {
      let length = 0;
      for (const piece of piecesOf(text, pieces)) length += tokensOf(piece).length;
      lengths.add(length);
      tokens += length;
      bytes += toBytes(text).length;
    }
    const most = maxTokens ?? lengths.mostTokens();
    return bytePairTokenizer({
      kind: 'byte-pairs',
      version: 1,
      column,
      pieces,
      merges: [...merges],
      bytes: Array.from(seen.keys()).filter((byte) => seen[byte] === 1),
      maxTokens: most,
      fitted: {
        records,
        'empty records': empty,
        'records that merges are learned from': texts.length,
        'different tokens': BYTES + merges.length,
        'bytes per token': Number((bytes / tokens).toFixed(2)),
        ...lengths.facts(most),
      },
    });
  },
  restore: (state) => bytePairTokenizer(parseState(stateSchema, state)),
};

/** Records, evenly drawn from those that are added: every one at first, and every second of them when they become too many. */
class Sample {
  texts: string[] = [];
  private letters = 0;
  private stride = 1;
  private added = 0;

  add(text: string): void {
    if (this.added++ % this.stride !== 0) return;
    this.texts.push(text);
    this.letters += text.length;
    while (this.letters > SAMPLED_LETTERS && this.texts.length > 1) {
      this.stride *= 2;
      this.texts = this.texts.filter((_, place) => place % 2 === 0);
      this.letters = this.texts.reduce((sum, { length }) => sum + length, 0);
    }
  }
}

/** The parts of a text that no token crosses. */
const piecesOf = (text: string, pieces: BytePairsState['pieces']): Iterable<string> =>
  pieces === 'words' ? wordsOf(text) : [text];

function* wordsOf(text: string): Iterable<string> {
  for (const [word] of text.matchAll(WORDS)) yield word;
}

/** The tokens of a piece of text; those of short pieces are remembered. */
function pieceTokens(ranks: MergeRanks): (piece: string) => Int32Array {
  const remembered = new Map<string, Int32Array>();
  return (piece) => {
    let tokens = remembered.get(piece);
    if (tokens) return tokens;
    tokens = applyMerges(toBytes(piece), ranks);
    if (piece.length > REMEMBERED_LETTERS) return tokens;
    if (remembered.size === REMEMBERED) remembered.clear();
    remembered.set(piece, tokens);
    return tokens;
  };
}

function bytePairTokenizer(state: BytePairsState): Tokenizer {
  const { column, maxTokens, pieces } = state;
  const merges: readonly Merge[] = state.merges;
  const bytes = tokenBytes(merges);
  const letters = bytes.map(lettersBegun);
  const seen = new Set(state.bytes);
  const strange = bytes.map((own) => own.some((byte) => !seen.has(byte)));
  const tokensOf = pieceTokens(mergeRanks(merges));
  const label = (byte: number) => `<${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
  const bytesOf = (ids: ArrayLike<number>) =>
    Uint8Array.from(Array.from(ids).flatMap((id) => [...(bytes[id - FIRST] ?? [])]));
  // The first letter with a byte that fitting did not see.
  const strangeLetter = (text: string) =>
    Array.from(text).find((letter) => toBytes(letter).some((byte) => !seen.has(byte)))!;

  return {
    kind: 'byte-pairs',
    spec: { kind: 'discrete', vocabulary: FIRST + bytes.length, maxTokens },
    columns: [column],
    fitted: state.fitted,
    text: {
      column,
      letters: (id) => letters[id - FIRST] ?? 0,
      read: (ids) => fromBytes(bytesOf(ids)),
    },

    /** Tokens after the first `maxTokens` of a record are cropped. */
    encode(batch, reject, { places = allPlaces(batch), unseen = 'keep', onUnknown, onCropped } = {}) {
      const texts = textColumn(batch, column, 'byte-pairs');
      const ids: number[] = [];
      const offsets = new Int32Array(places.length + 1);
      const rows = new Int32Array(places.length);
      let count = 0;
      for (let i = 0; i < places.length; i++) {
        const row = batch.rows[places[i]];
        const text = texts[places[i]];
        if (!text) {
          reject?.(row, column, text === null ? 'the cell is missing' : 'the text is empty');
          continue;
        }
        const start = ids.length;
        let unknown: string | undefined;
        let cropped = false;
        for (const piece of piecesOf(text, pieces)) {
          const tokens = tokensOf(piece);
          const room = start + maxTokens - ids.length;
          for (const token of tokens.subarray(0, room)) {
            if (strange[token]) unknown ??= strangeLetter(piece);
            ids.push(FIRST + token);
          }
          cropped = tokens.length > room;
          if (cropped) break;
        }
        if (unknown !== undefined && unseen === 'reject') {
          ids.length = start;
          reject?.(row, column, `letter ${JSON.stringify(unknown)} has bytes that no training record had`);
          continue;
        }
        if (unknown !== undefined) onUnknown?.(row, column, unknown);
        if (cropped) onCropped?.(row, column);
        rows[count++] = row;
        offsets[count] = ids.length;
      }
      return {
        count,
        offsets: offsets.slice(0, count + 1),
        ids: Int32Array.from(ids),
        rows: rows.slice(0, count),
      };
    },

    tokenLabel(position, id) {
      if (id === undefined) return `token ${position + 1}`;
      if (id === PADDING) return 'padding';
      return id - FIRST in bytes ? fromBytes(bytes[id - FIRST], label) : 'unknown';
    },

    toJSON: () => state,
  };
}
