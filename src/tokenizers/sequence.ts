/** One token per character of a text column: proteins, molecules written as SMILES, URLs, text. */

import { z } from 'zod';
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

/** Ids that are not letters; letter k of the vocabulary has id `FIRST_LETTER + k`. */
const PADDING = 0;
const UNKNOWN = 1;
const FIRST_LETTER = 2;

/** A larger alphabet keeps its most frequent letters; the rest share the id `UNKNOWN`. */
const MAX_LETTERS = 1024;

const stateSchema = z.strictObject({
  kind: z.literal('sequence'),
  version: z.literal(1),
  column: z.string(),
  /** Characters (Unicode code points) in ascending order. */
  letters: z
    .array(
      z.string().refine((letter) => letter.length > 0 && [...letter].length === 1, 'must be one character'),
    )
    .min(1)
    .max(MAX_LETTERS)
    .refine((letters) => new Set(letters).size === letters.length, 'must be different characters'),
  /** Whether the alphabet was larger than `MAX_LETTERS`: then other letters are nothing new. */
  openVocabulary: z.boolean(),
  maxTokens: z.int().min(1).max(LONGEST),
  fitted: fittedSchema,
});

type SequenceState = z.infer<typeof stateSchema>;

/** The code point at `text[index]`; a surrogate without its partner stands for itself. */
function codePoint(text: string, index: number): number {
  const unit = text.charCodeAt(index);
  return (unit & 0xfc00) === 0xd800 ? text.codePointAt(index)! : unit;
}

export const sequence: TokenizerFamily = {
  async fit(batches, { columns, maxTokens, patch }) {
    const column = singleColumn('sequence', columns);
    checkTextOptions('sequence', { maxTokens, patch });
    const frequency = new Map<number, number>();
    const units = new Float64Array(0x10000);
    const lengths = new TextLengths();
    let skipped = 0;
    const records = await readTraining(batches, (batch, count) => {
      const texts = textColumn(batch, column, 'sequence');
      let seen = 0;
      for (let row = 0; row < count; row++) {
        const text = texts[row];
        if (!text) {
          skipped++;
          continue;
        }
        let length = 0;
        for (let i = 0; i < text.length; length++) {
          const point = codePoint(text, i);
          if (point < 0x10000) {
            units[point]++;
            i++;
          } else {
            frequency.set(point, (frequency.get(point) ?? 0) + 1);
            i += 2;
          }
        }
        lengths.add(length);
        seen += length;
      }
      return seen;
    });
    checkNotEmpty(column, records, skipped);
    for (let unit = 0; unit < units.length; unit++) {
      if (units[unit] > 0) frequency.set(unit, units[unit]);
    }
    const points = [...frequency.keys()].sort((a, b) => frequency.get(b)! - frequency.get(a)! || a - b);
    const kept = points.slice(0, MAX_LETTERS).sort((a, b) => a - b);
    const most = maxTokens ?? lengths.mostTokens();
    return sequenceTokenizer({
      kind: 'sequence',
      version: 1,
      column,
      letters: kept.map((point) => String.fromCodePoint(point)),
      openVocabulary: points.length > MAX_LETTERS,
      maxTokens: most,
      fitted: {
        records,
        'empty records': skipped,
        'different letters': points.length,
        ...lengths.facts(most),
      },
    });
  },
  restore: (state) => sequenceTokenizer(parseState(stateSchema, state)),
};

function sequenceTokenizer(state: SequenceState): Tokenizer {
  const { column, letters, maxTokens } = state;
  // Id of every code point; PADDING marks those that fitting did not see.
  const other = state.openVocabulary ? UNKNOWN : PADDING;
  const unitIds = new Uint16Array(0x10000).fill(other);
  const highIds = new Map<number, number>();
  for (const [index, letter] of letters.entries()) {
    const point = codePoint(letter, 0);
    if (point < 0x10000) unitIds[point] = FIRST_LETTER + index;
    else highIds.set(point, FIRST_LETTER + index);
  }
  const listed = letters.length > 40 ? `${letters.slice(0, 40).join(' ')} …` : letters.join(' ');

  return {
    kind: 'sequence',
    spec: { kind: 'discrete', vocabulary: FIRST_LETTER + letters.length, maxTokens },
    columns: [column],
    fitted: state.fitted,
    text: {
      column,
      letters: (id) => (id === PADDING ? 0 : 1),
      read: (ids) => Array.from(ids, (id) => letters[id - FIRST_LETTER] ?? '\ufffd').join(''),
    },

    /** Letters after the first `maxTokens` of a record are cropped, unread. */
    encode(batch, reject, { places = allPlaces(batch), unseen = 'keep', onUnknown, onCropped } = {}) {
      const texts = textColumn(batch, column, 'sequence');
      let most = 0;
      for (let i = 0; i < places.length; i++) most += Math.min(texts[places[i]]?.length ?? 0, maxTokens);
      const ids = new Int32Array(most);
      const offsets = new Int32Array(places.length + 1);
      const rows = new Int32Array(places.length);
      let count = 0;
      let start = 0;
      for (let i = 0; i < places.length; i++) {
        const row = batch.rows[places[i]];
        const text = texts[places[i]];
        if (!text) {
          reject?.(row, column, text === null ? 'the cell is missing' : 'the text is empty');
          continue;
        }
        let end = start;
        let id = UNKNOWN;
        let index = 0;
        let strange: number | undefined;
        for (const limit = start + maxTokens; index < text.length && end < limit; end++) {
          const point = codePoint(text, index);
          id = point < 0x10000 ? unitIds[point] : (highIds.get(point) ?? other);
          if (id === PADDING && unseen === 'keep') {
            id = UNKNOWN;
            strange ??= point;
          }
          if (id === PADDING) break;
          ids[end] = id;
          index += point < 0x10000 ? 1 : 2;
        }
        if (id === PADDING) {
          const letter = JSON.stringify(String.fromCodePoint(codePoint(text, index)));
          const position = end - start + 1;
          const message = `letter ${letter} at position ${position} is not in the vocabulary`;
          reject?.(row, column, `${message} (${letters.length} letters: ${listed})`);
          continue;
        }
        if (strange !== undefined) onUnknown?.(row, column, String.fromCodePoint(strange));
        if (index < text.length) onCropped?.(row, column);
        rows[count++] = row;
        offsets[count] = end;
        start = end;
      }
      return {
        count,
        offsets: offsets.slice(0, count + 1),
        ids: ids.subarray(0, start),
        rows: rows.slice(0, count),
      };
    },

    tokenLabel(position, id) {
      if (id === undefined) return `letter ${position + 1}`;
      if (id === PADDING) return 'padding';
      return letters[id - FIRST_LETTER] ?? 'unknown';
    },

    toJSON: () => state,
  };
}
