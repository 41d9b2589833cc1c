/** One token per column of a table: numeric cells standardised, categories by id, missing cells with an id of their own. */

import { z } from 'zod';
import { InputError } from '../errors.js';
import { MAX_CATEGORIES } from '../records/profile.js';
import type { ColumnValues } from '../records/record-batch.js';
import { type FieldSpec, MISSING_ID } from '../records/token-block.js';
import {
  allPlaces,
  columnOf,
  fittedSchema,
  parseState,
  readTraining,
  type Tokenizer,
  type TokenizerFamily,
} from './tokenizer.js';

/** Standardised values are clipped to this many standard deviations, so that one outlier does not rule a batch's loss. */
const CLIP = 10;

const numericSchema = z.strictObject({
  name: z.string(),
  type: z.literal('numeric'),
  mean: z.number(),
  sd: z.number().positive(),
});

const categoricalSchema = z.strictObject({
  name: z.string(),
  type: z.literal('categorical'),
  categories: z
    .array(z.string())
    .min(1)
    .max(MAX_CATEGORIES)
    .refine((categories) => new Set(categories).size === categories.length, 'must be different'),
});

const stateSchema = z.strictObject({
  kind: z.literal('fields'),
  version: z.literal(1),
  fields: z.array(z.discriminatedUnion('type', [numericSchema, categoricalSchema])).min(1),
  fitted: fittedSchema,
});

type NumericState = z.infer<typeof numericSchema>;
type CategoricalState = z.infer<typeof categoricalSchema>;
type FieldsState = z.infer<typeof stateSchema>;

/** Running moments of a numeric column. */
interface Moments {
  count: number;
  mean: number;
  /** Sum of squared differences from the mean. */
  squares: number;
  minimum: number;
  maximum: number;
}

/**
 * Takes in a batch: its own moments in two passes, then merged (Chan, Golub & LeVeque 1979), which stays exact where
 * the mean is large against the spread. Missing and infinite cells are passed over.
 */
function addMoments(moments: Moments, values: Float64Array, count: number): void {
  let present = 0;
  let sum = 0;
  for (let row = 0; row < count; row++) {
    const value = values[row];
    if (!Number.isFinite(value)) continue;
    present++;
    sum += value;
    if (value < moments.minimum) moments.minimum = value;
    if (value > moments.maximum) moments.maximum = value;
  }
  if (present === 0) return;
  const mean = sum / present;
  let squares = 0;
  for (let row = 0; row < count; row++) {
    const difference = values[row] - mean;
    if (Number.isFinite(difference)) squares += difference * difference;
  }
  const shift = mean - moments.mean;
  const total = moments.count + present;
  moments.squares += squares + (shift * shift * moments.count * present) / total;
  moments.mean += (shift * present) / total;
  moments.count = total;
}

/** Mean and sd of the training cells; a constant column keeps sd 1. */
function numericState(name: string, { count, mean, squares, minimum, maximum }: Moments): NumericState {
  if (minimum === maximum) return { name, type: 'numeric', mean: minimum, sd: 1 };
  const sd = Math.sqrt(squares / count);
  // Numbers that differ by less than float64 can square, or by more.
  if (sd > 0 && Number.isFinite(sd)) return { name, type: 'numeric', mean, sd };
  throw new InputError(
    `column ${JSON.stringify(name)} cannot be standardised: its values go from ${minimum} to ${maximum}; rescale or ignore it`,
  );
}

export const fields: TokenizerFamily = {
  async fit(batches, { columns, maxTokens, patch }) {
    if (maxTokens !== undefined || patch !== undefined) {
      throw new InputError(
        'the fields tokenizer has one token per column: no tokenizer.max_tokens or tokenizer.patch',
      );
    }
    const moments = new Map<string, Moments>();
    const categories = new Map<string, Set<string>>();
    const records = await readTraining(batches, (batch, count) => {
      for (const name of columns) {
        const column = columnOf(batch, name);
        if (column.type === 'number') {
          const empty = { count: 0, mean: 0, squares: 0, minimum: Infinity, maximum: -Infinity };
          if (!moments.has(name)) moments.set(name, empty);
          addMoments(moments.get(name)!, column.values, count);
        } else if (column.type === 'text') {
          if (!categories.has(name)) categories.set(name, new Set());
          const seen = categories.get(name)!;
          for (let row = 0; row < count && seen.size <= MAX_CATEGORIES; row++) {
            const value = column.values[row];
            if (value !== null) seen.add(value);
          }
        } else {
          throw new InputError(
            `column ${JSON.stringify(name)} holds images; the fields tokenizer reads numbers and text`,
          );
        }
      }
      return count * columns.length;
    });
    const states: FieldsState['fields'] = [];
    const leftOut: string[] = [];
    for (const name of columns) {
      const numeric = moments.get(name);
      const values = categories.get(name);
      if (numeric ? numeric.count === 0 : values!.size === 0) leftOut.push(`${name} (every cell is missing)`);
      else if (numeric) states.push(numericState(name, numeric));
      else if (values!.size > MAX_CATEGORIES)
        leftOut.push(`${name} (more than ${MAX_CATEGORIES} different texts)`);
      else states.push({ name, type: 'categorical', categories: [...values!].sort() });
    }
    if (states.length === 0) {
      throw new InputError(`no column can be a field: ${leftOut.join(', ') || 'none was chosen'}`);
    }
    const numeric = states.filter((field) => field.type === 'numeric').length;
    return fieldsTokenizer({
      kind: 'fields',
      version: 1,
      fields: states,
      fitted: {
        records,
        'numeric fields': numeric,
        'categorical fields': states.length - numeric,
        ...(leftOut.length > 0 && { 'columns left out': leftOut.join(', ') }),
      },
    });
  },
  restore: (state) => fieldsTokenizer(parseState(stateSchema, state)),
};

/** The cells of one field at `places` of a batch are written to token `start`, `start + stride`, … . */
interface FieldTokens {
  readonly places: ArrayLike<number>;
  readonly ids: Int32Array;
  readonly values: Float32Array;
  readonly start: number;
  readonly stride: number;
  /** Told of every bad cell: the how manieth of the places, and what is wrong. */
  readonly bad: (record: number, message: string) => void;
}

/**
 * A numeric field's cells: NaN is missing, an infinity is no number.
 * A column that is empty in this file, or has one bad cell, arrives as text and is read here.
 */
function numericCells(column: ColumnValues): Float64Array {
  if (column.type === 'number') return column.values;
  const numbers = new Float64Array(column.values.length);
  for (let row = 0; row < numbers.length; row++) {
    const text = String(column.values[row] ?? '').trim();
    const value = Number(text);
    numbers[row] = text === '' ? Number.NaN : Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  }
  return numbers;
}

function writeNumeric({ mean, sd }: NumericState, column: ColumnValues, into: FieldTokens): void {
  const { places, ids, values, start, stride, bad } = into;
  const cells = numericCells(column);
  for (let record = 0, token = start; record < places.length; record++, token += stride) {
    const value = cells[places[record]];
    if (Number.isFinite(value)) {
      values[token] = Math.max(-CLIP, Math.min(CLIP, (value - mean) / sd));
    } else if (Number.isNaN(value)) {
      ids[token] = MISSING_ID;
    } else {
      bad(record, `${JSON.stringify(String(column.values[places[record]]))} is not a finite number`);
    }
  }
}

function writeCategories(
  { categories }: CategoricalState,
  idOf: ReadonlyMap<string, number>,
  column: ColumnValues,
  into: FieldTokens,
  unseen: 'reject' | 'keep',
): void {
  const { places, ids, start, stride, bad } = into;
  for (let record = 0, token = start; record < places.length; record++, token += stride) {
    const cell = column.values[places[record]];
    if (cell === null || Number.isNaN(cell)) {
      ids[token] = MISSING_ID;
      continue;
    }
    const id = idOf.get(typeof cell === 'string' ? cell : String(cell));
    if (id !== undefined || unseen === 'keep') {
      ids[token] = id ?? MISSING_ID;
    } else {
      const listed = categories.slice(0, 20).join(', ') + (categories.length > 20 ? ', …' : '');
      const value = JSON.stringify(String(cell));
      bad(record, `${value} was not seen in training (${categories.length} categories: ${listed})`);
    }
  }
}

function fieldsTokenizer(state: FieldsState): Tokenizer {
  const width = state.fields.length;
  const specs: FieldSpec[] = [];
  const idsOf: Map<string, number>[] = [];
  let vocabulary = MISSING_ID + 1;
  for (const field of state.fields) {
    const categories = field.type === 'categorical' ? field.categories : [];
    const firstId = field.type === 'categorical' ? vocabulary : 0;
    specs.push({ name: field.name, type: field.type, firstId, size: categories.length });
    idsOf.push(new Map(categories.map((category, index) => [category, firstId + index])));
    vocabulary += categories.length;
  }

  return {
    kind: 'fields',
    spec: { kind: 'fields', fields: specs, vocabulary, maxTokens: width },
    columns: specs.map((field) => field.name),
    fitted: state.fitted,

    encode(batch, reject, { places = allPlaces(batch), unseen = 'reject' } = {}) {
      const records = places.length;
      // `PRESENT_ID` is 0, so every cell stands as present until something else is written.
      const ids = new Int32Array(records * width);
      const values = new Float32Array(records * width);
      // The first fault of each bad record. They are told in the order of the records, though fields are read one by one.
      const faults = new Map<number, { field: string; message: string }>();
      for (const [start, field] of state.fields.entries()) {
        const column = columnOf(batch, field.name);
        if (column.type !== 'number' && column.type !== 'text') {
          throw new InputError(
            `column ${JSON.stringify(field.name)} holds ${column.type}; a ${field.type} column was expected`,
          );
        }
        const bad = (record: number, message: string) => {
          if (!faults.has(record)) faults.set(record, { field: field.name, message });
        };
        const into = { places, ids, values, start, stride: width, bad };
        if (field.type === 'numeric') writeNumeric(field, column, into);
        else writeCategories(field, idsOf[start], column, into, unseen);
      }
      const rows = new Int32Array(records);
      let count = 0;
      for (let record = 0; record < records; record++) {
        const row = batch.rows[places[record]];
        const fault = faults.get(record);
        if (fault) {
          reject?.(row, fault.field, fault.message);
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

    /** The cell of a numeric field, exact up to float32 and the clipping at 10 sd; NaN for a category, which has none. */
    decode(position, _channel, value) {
      const field = state.fields[position];
      return field.type === 'numeric' ? field.mean + field.sd * value : Number.NaN;
    },

    tokenLabel(position, id) {
      const field = state.fields[position];
      if (id === MISSING_ID) return `${field.name} missing`;
      if (field.type === 'numeric' || id === undefined) return field.name;
      return `${field.name} = ${field.categories[id - specs[position].firstId]}`;
    },

    toJSON: () => state,
  };
}
