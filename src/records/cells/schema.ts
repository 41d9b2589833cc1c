/** The columns of a run's training file, decided once; every later file is read by them. */
import { z } from 'zod';
import { InputError } from '../../errors.js';
import type { ColumnInfo, DataSource } from '../record-batch.js';
import type { CellFormat } from './cell-format.js';

/** Plain data, kept in a run as schema.json. */
export interface Schema {
  readonly version: 1;
  /** The words for a missing cell that the user named; those of `MISSING_WORDS` by default. */
  readonly missing?: readonly string[];
  /** The column whose texts are read as RDKit's canonical SMILES. */
  readonly canonicalSmiles?: string;
  readonly columns: readonly ColumnInfo[];
}

const formatSchema: z.ZodType<CellFormat> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('number'),
    decimal: z.enum(['.', ',']),
    thousands: z.enum([',', '.', ' ', "'"]).optional(),
    unit: z.string().min(1).optional(),
  }),
  z.strictObject({
    kind: z.literal('date'),
    holds: z.enum(['date', 'time', 'date and time']),
    order: z.enum(['ymd', 'dmy', 'mdy']),
  }),
  z.strictObject({ kind: z.literal('boolean') }),
]);

const schema = z.strictObject({
  version: z.literal(1),
  missing: z.array(z.string()).optional(),
  canonicalSmiles: z.string().optional(),
  columns: z.array(
    z.strictObject({
      name: z.string(),
      type: z.enum(['number', 'text', 'pixels', 'series']),
      format: formatSchema.optional(),
      shape: z.tuple([z.int().min(1), z.int().min(1), z.int().min(1)]).optional(),
    }),
  ),
});

/** What a source's columns were decided to be. */
export const schemaOf = ({
  columns,
  missing,
  canonicalSmiles,
}: Pick<DataSource, 'columns' | 'missing' | 'canonicalSmiles'>): Schema => ({
  version: 1,
  ...(missing && { missing }),
  ...(canonicalSmiles !== undefined && { canonicalSmiles }),
  columns: columns
    .filter(({ empty }) => !empty)
    .map(({ name, type, format, shape }) => ({
      name,
      type,
      ...(format && { format }),
      ...(shape && { shape }),
    })),
});

/** What lists of whole numbers are in its columns. */
export const listColumns = ({ columns }: Schema): ReadonlyMap<string, 'series' | 'text'> =>
  new Map(columns.flatMap(({ name, type }) => (type === 'series' || type === 'text' ? [[name, type]] : [])));

/** A schema that was read from a file, checked. Throws InputError that names the first key at fault. */
export function parseSchema(value: unknown, path: string): Schema {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path: key, message } = result.error.issues[0];
  throw new InputError(
    `${path}: not the schema of a run${key.length > 0 ? `, at ${key.join('.')}` : ''}: ${message}`,
  );
}

/** A column's type in words. */
export function describeColumnType({ type, format }: Pick<ColumnInfo, 'type' | 'format'>): string {
  if (!format) return type;
  if (format.kind === 'boolean') return 'boolean';
  if (format.kind === 'date') return format.holds;
  const { decimal, thousands, unit } = format;
  const marks = [unit, thousands && `thousands "${thousands}"`, decimal === ',' && 'decimal ","'].filter(
    Boolean,
  );
  return marks.length > 0 ? `number (${marks.join(', ')})` : 'number';
}
