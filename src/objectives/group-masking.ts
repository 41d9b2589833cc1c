import { z } from 'zod';
import { cast, topK } from '../graph/index.js';
import { tokenFeeds, tokenInputs, tokenTypes } from '../layers/token-embedding.js';
import type { Batch } from '../records/batch.js';
import type { GridSpec, TokenSpec } from '../records/token-block.js';
import { permutation, type Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  checkMasking,
  hiddenCount,
  type MaskingOptions,
  maskingDefaults,
  maskingOptions,
  mostHidden,
  reconstruct,
} from './masked-autoencoding.js';
import type { Objective } from './objective.js';
import { anyToken, sameTokenElsewhere } from './views.js';

/** The options of group masking. */
export interface GroupMaskingOptions extends MaskingOptions {
  /** The most tokens of a group in a row; on a grid also the most rows. */
  readonly group_size: number;
}

/** Names of the corrupted batch among the noise. */
const CORRUPTED = 'corrupted_';

const gridOf = (spec: TokenSpec): GridSpec | undefined =>
  spec.kind === 'continuous' ? spec.grid : undefined;

/**
 * Groups of the first `length` tokens that together are `count` different ones. A group is a run of at most `size` tokens,
 * on a grid a rectangle of at most `size` rows and columns, and in a table, whose columns have no neighbours, any set of at
 * most `size`; its extents are drawn uniformly, and it has a token that is in none before it. Groups may overlap. The last one
 * ends where `count` is reached.
 * @internal
 */
export function drawGroups(
  spec: TokenSpec,
  length: number,
  count: number,
  size: number,
  stream: Random,
): number[][] {
  const { rows, columns } = gridOf(spec) ?? { rows: 1, columns: length };
  const taken = new Uint8Array(length);
  const groups: number[][] = [];
  const order = permutation(length, stream);
  const extent = (most: number) => 1 + stream.integer(Math.min(size, most));
  const from = (token: number, taking: number, most: number) =>
    Math.min(Math.max(0, token - stream.integer(taking)), most - taking);
  let left = count;
  for (let next = 0; left > 0; next++) {
    if (taken[order[next]]) continue;
    const group: number[] = [];
    const take = (token: number) => {
      if (left === 0 || token >= length) return;
      group.push(token);
      left -= 1 - taken[token];
      taken[token] = 1;
    };
    if (spec.kind === 'fields') {
      for (const token of order.subarray(next, next + extent(length))) take(token);
    } else {
      const [height, width] = [extent(rows), extent(columns)];
      const top = from(Math.floor(order[next] / columns), height, rows);
      const start = from(order[next] % columns, width, columns);
      for (let row = top; row < top + height; row++)
        for (let column = start; column < start + width; column++) take(row * columns + column);
    }
    groups.push(group);
  }
  return groups;
}

/**
 * Corrupts a batch: each group of a record is replaced, as likely as not, by the tokens at its places in another record of
 * the batch, drawn from those that are long enough, or by noise: standard normal channels, any ids of the batch, and in a
 * table for each cell that of its column in any other record. Returns what the tokens are then, and bool[size, tokens] where
 * they were replaced.
 */
function corrupt(
  spec: TokenSpec,
  batch: Batch,
  { masking_ratio, group_size }: GroupMaskingOptions,
  source: (row: number) => Random,
) {
  const { rows, size, tokens, lengths } = batch;
  const [ids, values] = [batch.ids?.slice(), batch.values?.slice()];
  const corrupted = new Uint8Array(size * tokens);
  const channels = values ? values.length / corrupted.length : 0;
  const elsewhere = sameTokenElsewhere(batch);
  const single = spec.kind === 'discrete' ? anyToken(batch) : elsewhere;
  const copy = (from: number, to: number) => {
    if (ids) ids[to] = batch.ids![from];
    for (let c = 0; c < channels; c++) values![to * channels + c] = batch.values![from * channels + c];
  };
  for (let row = 0; row < rows; row++) {
    const stream = source(row);
    const count = hiddenCount(spec, lengths[row], masking_ratio);
    for (const group of drawGroups(spec, lengths[row], count, group_size, stream)) {
      const last = Math.max(...group);
      const other = Math.floor(elsewhere(row, last, stream) / tokens);
      const noisy = stream.uniform() < 0.5 || other === row;
      for (const token of group) {
        const to = row * tokens + token;
        corrupted[to] = 1;
        if (!noisy) copy(other * tokens + token, to);
        else if (ids) copy(single(row, token, stream), to);
        else for (let c = 0; c < channels; c++) values![to * channels + c] = stream.normal();
      }
    }
  }
  return { ids, values, corrupted };
}

/**
 * Group masked model learning (Atito, Awais & Kittler, 2021): connected groups of tokens are replaced by noise or by another
 * record's tokens, the encoder reads the whole, and what was there is reconstructed.
 *
 * Departures from the papers, which are on images: groups also of other tokens; the share that is replaced is fixed; the
 * decoder is SMA's, asked with positions; only replaced tokens are scored, by squared error, without the papers' contrastive
 * and rotation losses.
 */
export const groupMasking: Objective<GroupMaskingOptions> = {
  paper:
    'Atito, Awais & Kittler, "SiT: Self-supervised vIsion Transformer", 2021; the same, "GMML is All you Need", 2022',
  options: {
    ...maskingOptions,
    group_size: {
      type: z.int().min(1),
      description: 'most tokens along a side of a group',
      example: 8,
    },
  },
  defaults(spec, encoder, chosen) {
    const grid = gridOf(spec);
    const side = grid ? Math.max(2, Math.round(Math.min(grid.rows, grid.columns) / 4)) : 8;
    return {
      ...maskingDefaults(spec, encoder, chosen),
      group_size: chosen.group_size ?? (spec.kind === 'fields' ? 4 : side),
    };
  },
  check: checkMasking,
  // Tokens are replaced by those of other records.
  byRecord: () => 'loss',
  noise: (_options, spec, { size, tokens }) => ({
    corrupted: { dtype: 'bool', shape: [size, tokens] },
    ...tokenTypes(spec, size, tokens, CORRUPTED),
  }),
  draw(options, spec, { size, tokens }, batch, _progress, source) {
    const { corrupted, ids, values } = corrupt(spec, batch, options, (row) => source('groups', row));
    return {
      corrupted: hostTensor('bool', [size, tokens], corrupted),
      ...tokenFeeds({ ...batch, ids, values }, CORRUPTED),
    };
  },
  build(options, inputs) {
    const { spec, shape, noise, encode } = inputs;
    const encoding = encode({ tokens: tokenInputs(spec, shape.size, shape.tokens, CORRUPTED) });
    const most = mostHidden(options, spec, shape);
    const { values: used, indices: positions } = topK(cast(noise.corrupted, 'float32'), most);
    return { ...reconstruct(options, inputs, encoding, { positions, used }), hidden: noise.corrupted };
  },
};
