/** All kinds of column of a table: how each is fitted, kept and restored. */
import { z } from 'zod';
import type { ColumnType } from '../records/record-batch.js';
import type { Field, FieldFit, FieldKind } from './field.js';
import {
  categoricalField,
  categoricalSchema,
  fitCategories,
  hashedField,
  hashedSchema,
} from './field-category.js';
import { dateField, dateSchema, fitDate } from './field-date.js';
import { fitNumeric, numericField, numericSchema } from './field-number.js';
import { fitText, textField, textSchema } from './field-text.js';
import { fitVector, vectorField, vectorSchema } from './field-vector.js';

/** What is kept of a column. */
export const fieldSchema = z.discriminatedUnion('type', [
  numericSchema,
  dateSchema,
  categoricalSchema,
  hashedSchema,
  textSchema,
  vectorSchema,
]);

export type FieldState = z.infer<typeof fieldSchema>;

/** How a column of each kind is fitted. */
export const fits: Readonly<Record<FieldKind, (name: string) => FieldFit<FieldState>>> = {
  number: fitNumeric,
  date: fitDate,
  boolean: (name) => fitCategories(name, { ignoreCase: true }),
  category: (name) => fitCategories(name),
  hashed: (name) => fitCategories(name, { hashed: true }),
  text: fitText,
  vector: fitVector,
};

/** How a column is read that nothing was decided of. */
export const usualKinds: Partial<Record<ColumnType, FieldKind>> = {
  number: 'number',
  text: 'category',
  series: 'vector',
};

/** The column whose state this is. */
export function restoreField(state: FieldState): Field {
  switch (state.type) {
    case 'numeric':
      return numericField(state);
    case 'date':
      return dateField(state);
    case 'categorical':
      return categoricalField(state);
    case 'hashed':
      return hashedField(state);
    case 'text':
      return textField(state);
    case 'vector':
      return vectorField(state);
  }
}
