/** A column of categories: one token with the id of the cell's category, or of its bucket where there are too many. */
import { z } from 'zod';
import { MAX_CATEGORIES } from '../records/profile.js';
import { type FieldSpec, MISSING_ID } from '../records/token-block.js';
import { hashString } from '../tensor/random.js';
import { type Field, type FieldFit, textCells } from './field.js';

const different = z
  .array(z.string())
  .refine((categories) => new Set(categories).size === categories.length, 'must be different');

/** As version 1 of the state has it: ids follow from the order of the fields. */
export const unnumberedCategoricalSchema = z.strictObject({
  name: z.string(),
  type: z.literal('categorical'),
  categories: different.min(1).max(MAX_CATEGORIES),
});

export const categoricalSchema = z.strictObject({
  name: z.string(),
  type: z.literal('categorical'),
  /** Category k has the id `firstId + k`. */
  firstId: z.int(),
  categories: different.min(1).max(MAX_CATEGORIES),
  /** Booleans: `TRUE` is `true`. The categories are in lower case then. */
  ignoreCase: z.literal(true).optional(),
});

/** Buckets for the categories that have no id of their own. */
const BUCKETS = 64;
const HASH = 'FNV-1a, 32 bits, over UTF-16 code units; modulo buckets';

export const hashedSchema = z.strictObject({
  name: z.string(),
  type: z.literal('hashed'),
  firstId: z.int(),
  categories: different.max(MAX_CATEGORIES),
  /** A category that is not listed has the id `firstBucketId + hash modulo buckets`. */
  firstBucketId: z.int(),
  buckets: z.literal(BUCKETS),
  hash: z.literal(HASH),
});

export type CategoricalState = z.infer<typeof categoricalSchema>;
export type HashedState = z.infer<typeof hashedSchema>;

/** Levels whose occurrences are counted at once. Beyond them the rarest are forgotten, which had been hashed anyway. */
const COUNTED = 100_000;

/** What kind a column of categories turns out to be: it is hashed if asked for, or if there are more than 256. */
export function fitCategories(
  name: string,
  { hashed = false, ignoreCase = false }: { hashed?: boolean; ignoreCase?: boolean } = {},
): FieldFit<CategoricalState | HashedState> {
  const counts = new Map<string, number>();
  let rare = 0;
  return {
    add(column, count) {
      const cell = textCells(name, column);
      for (let row = 0; row < count; row++) {
        const text = cell(row);
        if (text === null) continue;
        const level = ignoreCase ? text.toLowerCase() : text;
        counts.set(level, (counts.get(level) ?? 0) + 1);
        while (counts.size > COUNTED) {
          rare++;
          for (const [key, times] of counts) if (times <= rare) counts.delete(key);
        }
      }
    },
    state(firstId) {
      if (counts.size === 0 && rare === 0) return undefined;
      if (!hashed && rare === 0 && counts.size <= MAX_CATEGORIES) {
        const categories = [...counts.keys()].sort();
        return { name, type: 'categorical', firstId, categories, ...(ignoreCase && { ignoreCase }) };
      }
      const categories = [...counts]
        .filter(([, times]) => times >= 2)
        .sort(([a, timesA], [b, timesB]) => timesB - timesA || (a < b ? -1 : 1))
        .slice(0, MAX_CATEGORIES)
        .map(([level]) => level)
        .sort();
      const firstBucketId = firstId + categories.length;
      return { name, type: 'hashed', firstId, categories, firstBucketId, buckets: BUCKETS, hash: HASH };
    },
  };
}

/** Writes one token of each record: the id of its category, or what `other` makes of one that has none. */
function categoryField(
  { name, firstId, categories }: Pick<CategoricalState, 'name' | 'firstId' | 'categories'>,
  size: number,
  ignoreCase: boolean,
  other: (text: string) => number | undefined,
): Field {
  const idOf = new Map(categories.map((category, index) => [category, firstId + index]));
  const token: FieldSpec = { name, type: 'categorical', firstId, size };
  return {
    column: name,
    tokens: [token],
    write(column, { places, ids, start, stride, unseen }) {
      const cell = textCells(name, column);
      for (let record = 0, at = start; record < places.length; record++, at += stride) {
        const text = cell(places[record]);
        if (text === null) {
          ids[at] = MISSING_ID;
          continue;
        }
        const id = idOf.get(ignoreCase ? text.toLowerCase() : text) ?? other(text);
        ids[at] = id ?? MISSING_ID;
        if (id !== undefined) continue;
        unseen(record, text, () => {
          const listed = categories.slice(0, 20).join(', ') + (categories.length > 20 ? ', …' : '');
          return `${JSON.stringify(text)} was not seen in training (${categories.length} categories: ${listed})`;
        });
      }
    },
    decode: () => Number.NaN,
    label(_token, id) {
      if (id === undefined) return name;
      if (id === MISSING_ID) return `${name} missing`;
      const index = id - firstId;
      return index < categories.length
        ? `${name} = ${categories[index]}`
        : `${name} in bucket ${index - categories.length}`;
    },
  };
}

export const categoricalField = (state: CategoricalState): Field =>
  categoryField(state, state.categories.length, state.ignoreCase === true, () => undefined);

export const hashedField = (state: HashedState): Field =>
  categoryField(
    state,
    state.categories.length + BUCKETS,
    false,
    (text) => state.firstBucketId + (hashString(text) % BUCKETS),
  );
