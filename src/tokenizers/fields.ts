/** The columns of a table as tokens: numbers, dates and lists standardised, categories and letters by id, missing cells with an id of their own. */

import { z } from 'zod';
import { InputError } from '../errors.js';
import { MISSING_ID, PRESENT_ID } from '../records/token-block.js';
import { CLIP, type Field, type FieldFit } from './field.js';
import { categoricalField, unnumberedCategoricalSchema } from './field-category.js';
import { type FieldState, fieldSchema, fits, restoreField, usualKinds } from './field-kinds.js';
import { numericField, numericSchema } from './field-number.js';
import {
  allPlaces,
  columnOf,
  fittedSchema,
  parseState,
  readTraining,
  type Tokenizer,
  type TokenizerFamily,
} from './tokenizer.js';

/** A record of more tokens would take more memory for its context than any table needs. */
const MOST_TOKENS = 16_384;

const stateSchema = z.strictObject({
  kind: z.literal('fields'),
  version: z.literal(2),
  /** The id of a cell that holds a number. */
  presentId: z.literal(PRESENT_ID),
  /** The id of a missing cell, and of a category that was not seen in training. */
  missingId: z.literal(MISSING_ID),
  /** Standardised numbers are clipped to this many standard deviations. */
  clip: z.literal(CLIP),
  fields: z.array(fieldSchema).min(1),
  fitted: fittedSchema,
});

/** What runs of before there were other columns than numbers and categories have. */
const firstStateSchema = z.strictObject({
  kind: z.literal('fields'),
  version: z.literal(1),
  fields: z.array(z.discriminatedUnion('type', [numericSchema, unnumberedCategoricalSchema])).min(1),
  fitted: fittedSchema,
});

type FieldsState = z.infer<typeof stateSchema>;
type FirstState = z.infer<typeof firstStateSchema>;

/** The ids that a column owns, counted. */
const idsOf = (field: Field): number => field.tokens.reduce((most, { size }) => Math.max(most, size), 0);

/** What the columns of each type are called in the facts of fitting. */
const counted: Readonly<Record<FieldState['type'], string>> = {
  numeric: 'numeric fields',
  date: 'date fields',
  categorical: 'categorical fields',
  hashed: 'hashed fields',
  text: 'text fields',
  vector: 'vector fields',
};

function countFields(states: readonly FieldState[]): Record<string, number> {
  const counts: Record<string, number> = { 'numeric fields': 0, 'categorical fields': 0 };
  for (const { type } of states) counts[counted[type]] = (counts[counted[type]] ?? 0) + 1;
  return counts;
}

export const fields: TokenizerFamily = {
  async fit(batches, { columns, maxTokens, patch, kinds = {} }) {
    if (maxTokens !== undefined || patch !== undefined) {
      throw new InputError(
        'the fields tokenizer has one token or a few per column: no tokenizer.max_tokens or tokenizer.patch',
      );
    }
    if (columns.length > MOST_TOKENS) throw tooWide(`at least ${columns.length} tokens`);
    const fitting = new Map<string, FieldFit<FieldState>>();
    const records = await readTraining(batches, (batch, count) => {
      for (const name of columns) {
        const column = columnOf(batch, name);
        if (!fitting.has(name)) {
          const kind = Object.hasOwn(kinds, name) ? kinds[name] : usualKinds[column.type];
          if (kind === undefined) {
            throw new InputError(
              `column ${JSON.stringify(name)} holds images; the fields tokenizer reads numbers, text and lists of numbers`,
            );
          }
          fitting.set(name, fits[kind](name));
        }
        fitting.get(name)!.add(column, count);
      }
      return count * columns.length;
    });
    const states: FieldState[] = [];
    const made: Field[] = [];
    const leftOut: string[] = [];
    let firstId = MISSING_ID + 1;
    for (const name of columns) {
      const state = fitting.get(name)!.state(firstId);
      if (state === undefined) {
        leftOut.push(`${name} (every cell is missing)`);
        continue;
      }
      states.push(state);
      const field = restoreField(state);
      made.push(field);
      firstId += idsOf(field);
    }
    if (states.length === 0) {
      throw new InputError(`no column can be a field: ${leftOut.join(', ') || 'none was chosen'}`);
    }
    checkWidth(made);
    return fieldsTokenizer(
      {
        kind: 'fields',
        version: 2,
        presentId: PRESENT_ID,
        missingId: MISSING_ID,
        clip: CLIP,
        fields: states,
        fitted: {
          records,
          ...countFields(states),
          ...(leftOut.length > 0 && { 'columns left out': leftOut.join(', ') }),
        },
      },
      made,
    );
  },

  restore(state) {
    const first = typeof state === 'object' && state !== null && 'version' in state && state.version === 1;
    if (!first) {
      const parsed = parseState(stateSchema, state);
      return fieldsTokenizer(parsed, checkIds(parsed.fields.map(restoreField)));
    }
    const parsed = parseState(firstStateSchema, state);
    let firstId = MISSING_ID + 1;
    const numbered = parsed.fields.map((field) => {
      if (field.type === 'numeric') return numericField(field);
      const made = categoricalField({ ...field, firstId });
      firstId += field.categories.length;
      return made;
    });
    return fieldsTokenizer(parsed, numbered);
  },
};

function checkWidth(made: readonly Field[]): void {
  const width = made.reduce((sum, { tokens }) => sum + tokens.length, 0);
  if (width <= MOST_TOKENS) return;
  const longest = made
    .filter(({ tokens }) => tokens.length > 1)
    .toSorted((a, b) => b.tokens.length - a.tokens.length)
    .slice(0, 3)
    .map(({ column, tokens }) => `${column} ${tokens.length}`);
  const which = longest.length > 0 ? ` (${longest.join(', ')}, …)` : '';
  throw tooWide(`${width} tokens of ${made.length} columns${which}`);
}

const tooWide = (what: string): InputError =>
  new InputError(
    `a record would be ${what}, and at most ${MOST_TOKENS} are possible; leave columns out with --ignore, or name those to read with --columns`,
  );

/** Ids are given in the order of the fields, without gaps. */
function checkIds(made: readonly Field[]): readonly Field[] {
  let firstId = MISSING_ID + 1;
  for (const [index, field] of made.entries()) {
    const wrong = field.tokens.some((token) => token.type === 'categorical' && token.firstId !== firstId);
    if (wrong) {
      throw new InputError(
        `this is not the state of a tokenizer that Lacuna wrote: the ids at fields.${index} must begin with ${firstId}`,
      );
    }
    firstId += idsOf(field);
  }
  return made;
}

function fieldsTokenizer(state: FieldsState | FirstState, made: readonly Field[]): Tokenizer {
  const specs = made.flatMap(({ tokens }) => tokens);
  const width = specs.length;
  const vocabulary = made.reduce((sum, field) => sum + idsOf(field), MISSING_ID + 1);
  const owners = made.flatMap((field) => field.tokens.map((_, token) => ({ field, token })));

  return {
    kind: 'fields',
    spec: { kind: 'fields', fields: specs, vocabulary, maxTokens: width },
    columns: made.map(({ column }) => column),
    fitted: state.fitted,

    encode(batch, reject, { places = allPlaces(batch), unseen = 'keep', onUnknown, onCropped } = {}) {
      const records = places.length;
      // `PRESENT_ID` is 0, so every cell stands as present until something else is written.
      const ids = new Int32Array(records * width);
      const values = new Float32Array(records * width);
      // The first fault of each bad record. They are told in the order of the records, though fields are read one by one.
      const faults = new Map<number, { column: string; message: string }>();
      const losses: { record: number; tell: (row: number) => void }[] = [];
      let start = 0;
      for (const field of made) {
        const { column } = field;
        const bad = (record: number, message: string) => {
          if (!faults.has(record)) faults.set(record, { column, message });
        };
        field.write(columnOf(batch, column), {
          places,
          ids,
          values,
          start,
          stride: width,
          bad,
          unseen(record, value, message) {
            if (unseen === 'reject') bad(record, message());
            else if (onUnknown) losses.push({ record, tell: (row) => onUnknown(row, column, value) });
          },
          cropped(record) {
            if (onCropped) losses.push({ record, tell: (row) => onCropped(row, column) });
          },
        });
        start += field.tokens.length;
      }
      losses.sort((a, b) => a.record - b.record);
      for (const { record, tell } of losses) {
        if (!faults.has(record)) tell(batch.rows[places[record]]);
      }
      const rows = new Int32Array(records);
      let count = 0;
      for (let record = 0; record < records; record++) {
        const row = batch.rows[places[record]];
        const fault = faults.get(record);
        if (fault) {
          reject?.(row, fault.column, fault.message);
          continue;
        }
        if (count < record) {
          ids.copyWithin(count * width, record * width, (record + 1) * width);
          values.copyWithin(count * width, record * width, (record + 1) * width);
        }
        rows[count++] = row;
      }
      const offsets = new Int32Array(count + 1);
      for (let record = 0; record <= count; record++) offsets[record] = record * width;
      return {
        count,
        offsets,
        ids: ids.subarray(0, count * width),
        values: values.subarray(0, count * width),
        rows: rows.slice(0, count),
      };
    },

    /** Exact up to float32 and the clipping at 10 sd; NaN for a category or letter, which has none. */
    decode: (position, _channel, value) => owners[position].field.decode(owners[position].token, value),

    tokenLabel: (position, id) => owners[position].field.label(owners[position].token, id),

    toJSON: () => state,
  };
}
