/** A column of numbers: one token, standardised by the mean and standard deviation of the training cells. */
import { z } from 'zod';
import { InputError } from '../errors.js';
import { plainNumber } from '../records/cells/cell-format.js';
import type { ColumnValues } from '../records/record-batch.js';
import { MISSING_ID } from '../records/token-block.js';
import { type Cells, CLIP, type Field, type FieldFit, numericTokens, wrongType } from './field.js';

export const numericSchema = z.strictObject({
  name: z.string(),
  type: z.literal('numeric'),
  mean: z.number(),
  sd: z.number().positive(),
});

export type NumericState = z.infer<typeof numericSchema>;

/** Mean and standard deviation. */
export interface Scale {
  readonly mean: number;
  readonly sd: number;
}

/** Running moments of numbers. */
export interface Moments {
  count: number;
  mean: number;
  /** Sum of squared differences from the mean. */
  squares: number;
  minimum: number;
  maximum: number;
}

export const noMoments = (): Moments => ({
  count: 0,
  mean: 0,
  squares: 0,
  minimum: Number.POSITIVE_INFINITY,
  maximum: Number.NEGATIVE_INFINITY,
});

/**
 * Takes in `count` numbers, `stride` apart from `start` on: their own moments in two passes, then merged (Chan, Golub &
 * LeVeque 1979), which stays exact where the mean is large against the spread. Missing and infinite ones are passed over.
 */
export function addMoments(
  moments: Moments,
  values: Float64Array | Float32Array,
  count: number,
  start = 0,
  stride = 1,
): void {
  const end = start + count * stride;
  let present = 0;
  let sum = 0;
  for (let i = start; i < end; i += stride) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    present++;
    sum += value;
    if (value < moments.minimum) moments.minimum = value;
    if (value > moments.maximum) moments.maximum = value;
  }
  if (present === 0) return;
  const mean = sum / present;
  let squares = 0;
  for (let i = start; i < end; i += stride) {
    const difference = values[i] - mean;
    if (Number.isFinite(difference)) squares += difference * difference;
  }
  const shift = mean - moments.mean;
  const total = moments.count + present;
  moments.squares += squares + (shift * shift * moments.count * present) / total;
  moments.mean += (shift * present) / total;
  moments.count = total;
}

/** Mean and sd of the training numbers of the column `name`; equal ones keep sd 1. */
export function scaleOf(name: string, { count, mean, squares, minimum, maximum }: Moments): Scale {
  if (count === 0) return { mean: 0, sd: 1 };
  if (minimum === maximum) return { mean: minimum, sd: 1 };
  const sd = Math.sqrt(squares / count);
  // Numbers that differ by less than float64 can square, or by more.
  if (sd > 0 && Number.isFinite(sd)) return { mean, sd };
  throw new InputError(
    `column ${JSON.stringify(name)} cannot be standardised: its values go from ${minimum} to ${maximum}; rescale or ignore it`,
  );
}

export function fitNumeric(name: string): FieldFit<NumericState> {
  const moments = noMoments();
  return {
    add(column, count) {
      if (column.type !== 'number') throw wrongType(name, column.type, 'numbers');
      addMoments(moments, column.values, count);
    },
    state: () => (moments.count === 0 ? undefined : { name, type: 'numeric', ...scaleOf(name, moments) }),
  };
}

/**
 * The cells of a column of numbers: NaN is missing, an infinity is no number.
 * A column that is empty in this file, or has one bad cell, arrives as text and is read here.
 */
export function numericCells(name: string, column: ColumnValues): Float64Array {
  if (column.type === 'number') return column.values;
  if (column.type !== 'text') throw wrongType(name, column.type, 'numbers');
  const numbers = new Float64Array(column.values.length);
  for (let row = 0; row < numbers.length; row++) {
    const text = column.values[row]?.trim() ?? '';
    numbers[row] = text === '' ? Number.NaN : (plainNumber(text) ?? Number.POSITIVE_INFINITY);
  }
  return numbers;
}

/** Writes one token of each record: the standardised number at its place. */
export function writeNumbers(
  column: ColumnValues,
  numbers: Float64Array,
  { places, ids, values, start, stride, bad }: Cells,
  { mean, sd }: Scale,
): void {
  for (let record = 0, token = start; record < places.length; record++, token += stride) {
    const value = numbers[places[record]];
    if (Number.isFinite(value)) {
      values[token] = Math.max(-CLIP, Math.min(CLIP, (value - mean) / sd));
    } else if (Number.isNaN(value)) {
      ids[token] = MISSING_ID;
    } else {
      bad(record, `${JSON.stringify(String(column.values[places[record]]))} is not a finite number`);
    }
  }
}

export const numericField = (state: NumericState): Field => ({
  column: state.name,
  tokens: numericTokens([state.name]),
  write: (column, cells) => writeNumbers(column, numericCells(state.name, column), cells, state),
  /** Exact up to float32 and the clipping. */
  decode: (_token, value) => state.mean + state.sd * value,
  label: (_token, id) => (id === MISSING_ID ? `${state.name} missing` : state.name),
});
