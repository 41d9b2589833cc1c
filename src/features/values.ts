import * as g from '../graph/index.js';
import type { Tokens } from '../layers/token-embedding.js';
import { MISSING_ID, PRESENT_ID, type TokenBlock, type TokenSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import { unfitted } from './feature-set.js';

/** Numbers in a row of {@link valueRows}. */
export function valueDimension(spec: TokenSpec): number {
  if (spec.kind === 'continuous') return spec.maxTokens * spec.channels;
  if (spec.kind === 'fields') return spec.fields.reduce((sum, { size }) => sum + Math.max(1, size), 0);
  return 0;
}

/**
 * The values of a table's cells, a series' steps or an image's pixels as the tokenizer standardises them, float32[records,
 * dimension]. A categorical field is one-hot. A missing numeric cell is NaN; what a series that is shorter than the longest
 * lacks is 0.
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
  for (let record = 0; record < block.count; record++) {
    let column = record * dimension;
    spec.fields.forEach((field, position) => {
      const id = block.ids![record * width + position];
      if (field.type === 'numeric') {
        rows[column++] = id === MISSING_ID ? Number.NaN : block.values![record * width + position];
      } else {
        if (id !== MISSING_ID && id !== PRESENT_ID) rows[column + id - field.firstId] = 1;
        column += Math.max(1, field.size);
      }
    });
  }
  return rows;
}

/** {@link valueRows} of a batch of tokens, float32[batch, dimension]. */
function valuesGraph(spec: TokenSpec, { ids, values, batch }: Tokens): g.Value {
  if (spec.kind === 'continuous') return g.reshape(values!, [batch, valueDimension(spec)]);
  if (spec.kind === 'discrete') throw new Error('values: letters have no values');
  // A column is the value of a numeric field, or whether a field has one category.
  const columns = spec.fields.flatMap(({ type, firstId, size }, position) =>
    Array.from({ length: Math.max(1, size) }, (_, i) => ({
      position,
      numeric: type === 'numeric',
      id: firstId + i,
    })),
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
  return g.where(numeric, known, categories);
}

/** The values themselves. Linear models take what is missing for the mean, trees learn a side for it. */
export const values = unfitted(
  'values',
  'the standardised values, categories one-hot, what is missing marked',
  valueDimension,
  ({ spec, block }) => valueRows(spec, block),
  { graph: valuesGraph },
);
