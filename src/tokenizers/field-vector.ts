/** A column of lists of numbers, all as long: one token for each element, standardised by its own mean and deviation. */
import { z } from 'zod';
import { InputError } from '../errors.js';
import { MAX_ELEMENTS } from '../records/profile.js';
import type { ColumnValues } from '../records/record-batch.js';
import { MISSING_ID } from '../records/token-block.js';
import { CLIP, type Field, type FieldFit, numericTokens, wrongType } from './field.js';
import { addMoments, type Moments, noMoments, scaleOf } from './field-number.js';

export const vectorSchema = z
  .strictObject({
    name: z.string(),
    type: z.literal('vector'),
    means: z.array(z.number()).min(1).max(MAX_ELEMENTS),
    sds: z.array(z.number().positive()),
  })
  .refine(({ means, sds }) => means.length === sds.length, 'means and sds must be equally many');

export type VectorState = z.infer<typeof vectorSchema>;

type Lists = Extract<ColumnValues, { type: 'series' }>;

function listsOf(name: string, column: ColumnValues): Lists {
  if (column.type === 'series' && column.channels === 1) return column;
  if (column.type !== 'series') throw wrongType(name, column.type, 'lists of numbers');
  throw new InputError(
    `column ${JSON.stringify(name)} holds time series of ${column.channels} channels; a table reads lists of single numbers; leave it out with --ignore, or read it alone with --tokenizer series`,
  );
}

/** Learns from the lists that are as long as the first that is not empty; others will be bad records. */
export function fitVector(name: string): FieldFit<VectorState> {
  let elements: Moments[] = [];
  return {
    add(column, count) {
      const { values, offsets } = listsOf(name, column);
      for (let row = 0; row < count; ) {
        const length = offsets[row + 1] - offsets[row];
        if (elements.length === 0 && length > 0 && length <= MAX_ELEMENTS) {
          elements = Array.from({ length }, noMoments);
        }
        // Neighbours of the right length are taken in together.
        let end = row;
        while (end < count && offsets[end + 1] - offsets[end] === elements.length) end++;
        for (const [i, moments] of elements.entries()) {
          addMoments(moments, values, end - row, offsets[row] + i, elements.length);
        }
        row = Math.max(end, row + 1);
      }
    },
    state() {
      if (elements.every(({ count }) => count === 0)) return undefined;
      const scales = elements.map((moments) => scaleOf(name, moments));
      return { name, type: 'vector', means: scales.map(({ mean }) => mean), sds: scales.map(({ sd }) => sd) };
    },
  };
}

export function vectorField(state: VectorState): Field {
  const { name, means, sds } = state;
  const names = means.map((_, i) => `${name}[${i}]`);
  return {
    column: name,
    tokens: numericTokens(names),
    write(column, { places, ids, values, start, stride, bad }) {
      const absent = column.type === 'text' && column.values.every((cell) => cell === null);
      const lists = absent ? undefined : listsOf(name, column);
      for (let record = 0, first = start; record < places.length; record++, first += stride) {
        const from = lists?.offsets[places[record]] ?? 0;
        const length = lists ? lists.offsets[places[record] + 1] - from : 0;
        if (length > 0 && length !== means.length) {
          bad(record, `a list of ${length} numbers, where ${means.length} were expected as in training`);
          continue;
        }
        for (let i = 0; i < means.length; i++) {
          const value = length > 0 ? lists!.values[from + i] : Number.NaN;
          if (Number.isNaN(value)) ids[first + i] = MISSING_ID;
          else if (!Number.isFinite(value)) bad(record, `number ${i + 1} of the list is infinite`);
          else values[first + i] = Math.max(-CLIP, Math.min(CLIP, (value - means[i]) / sds[i]));
        }
      }
    },
    decode: (token, value) => means[token] + sds[token] * value,
    label: (token, id) => (id === MISSING_ID ? `${names[token]} missing` : names[token]),
  };
}
