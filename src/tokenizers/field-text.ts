/** A column of free text beside others: its first letters, one token each, from one alphabet. */
import { z } from 'zod';
import { MOST_LETTERS } from '../records/profile.js';
import { type FieldSpec, MISSING_ID } from '../records/token-block.js';
import { type Field, type FieldFit, textCells } from './field.js';

/** A larger alphabet keeps its most frequent letters; the rest share an id. */
const MAX_ALPHABET = 128;
/** The tokens cover this share of the training texts, in steps of `STEP`. */
const COVERED = 0.95;
const STEP = 4;

export const textSchema = z.strictObject({
  name: z.string(),
  type: z.literal('text'),
  /** Tokens of a record. */
  length: z.int().min(STEP).max(MOST_LETTERS),
  /** The id after the last letter of a text; what follows is missing. */
  endId: z.int(),
  /** The id of every letter that is not listed. */
  otherId: z.int(),
  /** Letter k of `letters` has the id `firstLetterId + k`. */
  firstLetterId: z.int(),
  /** Characters (Unicode code points) in ascending order. */
  letters: z
    .array(z.string().refine((letter) => [...letter].length === 1, 'must be one character'))
    .min(1)
    .max(MAX_ALPHABET)
    .refine((letters) => new Set(letters).size === letters.length, 'must be different characters'),
  /** Whether training had more letters than are listed, so that others are nothing new. */
  openAlphabet: z.boolean(),
});

export type TextState = z.infer<typeof textSchema>;

/** Gives the first letters of a text as code points. Returns how many these are. */
function eachLetter(text: string, most: number, take: (point: number, index: number) => void): number {
  let letters = 0;
  for (let i = 0; i < text.length && letters < most; letters++) {
    const point = text.codePointAt(i)!;
    take(point, letters);
    i += point < 0x10000 ? 1 : 2;
  }
  return letters;
}

export function fitText(name: string): FieldFit<TextState> {
  const basic = new Float64Array(256);
  const others = new Map<number, number>();
  const lengths = new Float64Array(MOST_LETTERS + 1);
  let present = 0;
  const count = (point: number) => {
    if (point < basic.length) basic[point]++;
    else others.set(point, (others.get(point) ?? 0) + 1);
  };
  return {
    add(column, rows) {
      const cell = textCells(name, column);
      for (let row = 0; row < rows; row++) {
        const text = cell(row);
        if (text === null) continue;
        present++;
        lengths[eachLetter(text, MOST_LETTERS, count)]++;
      }
    },
    state(firstId) {
      const frequency = new Map(others);
      for (const [point, times] of basic.entries()) if (times > 0) frequency.set(point, times);
      if (frequency.size === 0) return undefined;
      const kept = [...frequency]
        .sort(([a, timesA], [b, timesB]) => timesB - timesA || a - b)
        .slice(0, MAX_ALPHABET)
        .map(([point]) => point)
        .sort((a, b) => a - b);
      let length = 0;
      for (let covered = lengths[0]; covered < COVERED * present; ) covered += lengths[++length];
      return {
        name,
        type: 'text',
        length: Math.max(STEP, Math.ceil(length / STEP) * STEP),
        endId: firstId,
        otherId: firstId + 1,
        firstLetterId: firstId + 2,
        letters: kept.map((point) => String.fromCodePoint(point)),
        openAlphabet: frequency.size > kept.length,
      };
    },
  };
}

export function textField(state: TextState): Field {
  const { name, length, endId, otherId, firstLetterId, letters, openAlphabet } = state;
  const idOf = new Map(letters.map((letter, index) => [letter.codePointAt(0)!, firstLetterId + index]));
  const tokens = Array.from(
    { length },
    (_, i): FieldSpec => ({
      name: `${name}: letter ${i + 1}`,
      type: 'categorical',
      firstId: endId,
      size: 2 + letters.length,
    }),
  );
  return {
    column: name,
    tokens,
    write(column, { places, ids, start, stride, unseen, cropped }) {
      const cell = textCells(name, column);
      for (let record = 0, first = start; record < places.length; record++, first += stride) {
        const text = cell(places[record]);
        if (text === null) {
          ids.fill(MISSING_ID, first, first + length);
          continue;
        }
        let strange: number | undefined;
        const end = eachLetter(text, length + 1, (point, index) => {
          if (index === length) return cropped(record);
          const id = idOf.get(point);
          if (id === undefined) strange ??= point;
          ids[first + index] = id ?? otherId;
        });
        if (end < length) {
          ids[first + end] = endId;
          ids.fill(MISSING_ID, first + end + 1, first + length);
        }
        if (strange !== undefined && !openAlphabet) {
          const letter = String.fromCodePoint(strange);
          unseen(
            record,
            letter,
            () => `letter ${JSON.stringify(letter)} was not seen in training (${letters.length} letters)`,
          );
        }
      }
    },
    decode: () => Number.NaN,
    label(token, id) {
      const label = tokens[token].name;
      if (id === undefined) return label;
      if (id === MISSING_ID) return `${label} missing`;
      if (id === endId) return `${label} = end of text`;
      return id === otherId ? `${label} = another letter` : `${label} = ${letters[id - firstLetterId]}`;
    },
  };
}
