import * as g from '../graph/index.js';
import type { Tokens } from '../layers/token-embedding.js';
import { type FieldSpec, MISSING_ID, type TokenBlock, type TokenSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import { unfitted } from './feature-set.js';

/** A cell among a table's columns: its number, or a column for each of the `size` ids from `firstId` on. */
interface CellColumns {
  readonly position: number;
  readonly numeric: boolean;
  readonly firstId: number;
  readonly size: number;
}

/** Letters of a text, counted wherever they stand from the token `from` to before `to`. */
interface LetterCounts {
  readonly from: number;
  readonly to: number;
  readonly firstId: number;
  readonly size: number;
}

/** Of a text of more letters than `LONG` in a table, the first ones are one-hot, and all are counted: a column for each place and letter would be thousands. */
const LONG = 8;
const FIRST_LETTERS = 4;

/** The columns of a table's rows, in order: those of cells, then counts. */
function tableColumns(fields: readonly FieldSpec[]): {
  readonly cells: readonly CellColumns[];
  readonly counts: readonly LetterCounts[];
  readonly dimension: number;
} {
  const cells: CellColumns[] = [];
  const counts: LetterCounts[] = [];
  for (let from = 0, to: number; from < fields.length; from = to) {
    const { type, firstId, size } = fields[from];
    const alike = (field: FieldSpec | undefined) =>
      type === 'categorical' && field?.type === type && field.firstId === firstId && field.size === size;
    for (to = from + 1; alike(fields[to]); ) to++;
    const long = to - from > LONG;
    if (long) counts.push({ from, to, firstId, size });
    for (let position = from; position < (long ? from + FIRST_LETTERS : to); position++)
      cells.push({ position, numeric: type === 'numeric', firstId, size: Math.max(1, size) });
  }
  const dimension = [...cells, ...counts].reduce((sum, { size }) => sum + size, 0);
  return { cells, counts, dimension };
}

/** Numbers in a row of {@link valueRows}. */
export function valueDimension(spec: TokenSpec): number {
  if (spec.kind === 'continuous') return spec.maxTokens * spec.channels;
  return spec.kind === 'fields' ? tableColumns(spec.fields).dimension : 0;
}

/**
 * The values of a table's cells, a series' steps or an image's pixels as the tokenizer standardises them, float32[records,
 * dimension]. A categorical field is one-hot, and of a longer text the first letters, before the counts of all. A missing numeric
 * cell is NaN; what a series that is shorter than the longest lacks is 0.
 */
export function valueRows(spec: TokenSpec, block: TokenBlock): Float32Array {
  const dimension = valueDimension(spec);
  const rows = new Float32Array(block.count * dimension);
  if (spec.kind === 'continuous') {
    const { offsets } = block;
    for (let record = 0; record < block.count; record++) {
      const own = block.values!.subarray(
        offsets[record] * spec.channels,
        offsets[record + 1] * spec.channels,
      );
      rows.set(own, record * dimension);
    }
    return rows;
  }
  if (spec.kind === 'discrete') return rows;
  const width = spec.fields.length;
  const { cells, counts } = tableColumns(spec.fields);
  const [ids, values] = [block.ids!, block.values!];
  for (let record = 0; record < block.count; record++) {
    const start = record * width;
    let column = record * dimension;
    for (const { position, numeric, firstId, size } of cells) {
      const id = ids[start + position];
      if (numeric) rows[column] = id === MISSING_ID ? Number.NaN : values[start + position];
      else if (id >= firstId && id < firstId + size) rows[column + id - firstId] = 1;
      column += size;
    }
    for (const { from, to, firstId, size } of counts) {
      for (let token = start + from; token < start + to; token++) {
        if (ids[token] >= firstId) rows[column + ids[token] - firstId]++;
      }
      column += size;
    }
  }
  return rows;
}

/** {@link valueRows} of a batch of tokens, float32[batch, dimension]. */
function valuesGraph(spec: TokenSpec, { ids, values, batch }: Tokens): g.Value {
  if (spec.kind === 'continuous') return g.reshape(values!, [batch, valueDimension(spec)]);
  if (spec.kind === 'discrete') throw new Error('values: letters have no values');
  const { cells, counts } = tableColumns(spec.fields);
  const columns = cells.flatMap(({ firstId, size, ...cell }) =>
    Array.from({ length: size }, (_, i) => ({ ...cell, id: firstId + i })),
  );
  const constant = (numbers: readonly number[]) =>
    g.constant(hostTensor('int32', [numbers.length], Int32Array.from(numbers)));
  const positions = constant(columns.map(({ position }) => position));
  const atColumns = (tokens: g.Value) =>
    g.transpose(g.gather(g.transpose(tokens, [1, 0]), positions), [1, 0]);
  const own = atColumns(ids!);
  const numbers = atColumns(g.reshape(values!, [batch, spec.maxTokens]));
  const known = g.where(g.equal(own, constant([MISSING_ID])), g.scalar(Number.NaN), numbers);
  const categories = g.cast(g.equal(own, constant(columns.map(({ id }) => id))), 'float32');
  const numeric = g.equal(constant(columns.map((column) => Number(column.numeric))), constant([1]));
  const counted = counts.map(({ from, to, firstId, size }) => {
    const letters = g.reshape(g.slice(ids!, 1, from, to), [batch, to - from, 1]);
    const alphabet = constant(Array.from({ length: size }, (_, i) => firstId + i));
    return g.sum(g.cast(g.equal(letters, alphabet), 'float32'), [1]);
  });
  return g.concatenate([g.where(numeric, known, categories), ...counted], 1);
}

/** The values themselves. Linear models take what is missing for the mean, trees learn a side for it. */
export const values = unfitted(
  'values',
  'the standardised values, categories one-hot, letters of longer texts counted, what is missing marked',
  valueDimension,
  ({ spec, block }) => valueRows(spec, block),
  { graph: valuesGraph },
);
