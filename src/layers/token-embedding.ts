import {
  add,
  cast,
  expand,
  gather,
  gatherElements,
  input,
  iota,
  less,
  logicalNot,
  matmul,
  multiply,
  parameter,
  reshape,
  type Size,
  scope,
  slice,
  staticSize,
  type Value,
} from '../graph/index.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { type DType, type HostTensor, hostTensor } from '../tensor/tensor.js';
import { type Dropout, dropoutMask } from './dropout.js';
import { layerNormOf } from './layer-norm.js';

/** One batch of tokens as graph inputs; the names are those of `Batch`. */
export interface Tokens {
  /** int32[batch, tokens], where the specification has a vocabulary. */
  readonly ids?: Value;
  /** float32[batch, tokens, channels], where it has channels. */
  readonly values?: Value;
  /** int32[batch]: real tokens of each row. */
  readonly lengths: Value;
  /** bool[batch, tokens]: true = padding. */
  readonly padding: Value;
  readonly batch: Size;
  readonly count: number;
}

/** The graph inputs of `batch` rows of `count` tokens: what has which dtype and shape, under names that begin with `prefix`. */
export function tokenTypes<S extends Size>(
  spec: TokenSpec,
  batch: S,
  count: number,
  prefix = '',
): Record<string, { dtype: DType; shape: (S | number)[] }> {
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  return {
    ...(spec.kind !== 'continuous' && { [`${prefix}ids`]: { dtype: 'int32', shape: [batch, count] } }),
    ...(spec.kind !== 'discrete' && {
      [`${prefix}values`]: { dtype: 'float32', shape: [batch, count, channels] },
    }),
    [`${prefix}lengths`]: { dtype: 'int32', shape: [batch] },
  };
}

/** The tensors of a batch, as {@link tokenTypes} says. */
export function tokenFeeds(
  { size, tokens, ids, values, lengths }: Pick<Batch, 'size' | 'tokens' | 'ids' | 'values' | 'lengths'>,
  prefix = '',
): Record<string, HostTensor> {
  return {
    ...(ids && { [`${prefix}ids`]: hostTensor('int32', [size, tokens], ids) }),
    ...(values && {
      [`${prefix}values`]: hostTensor('float32', [size, tokens, values.length / (size * tokens)], values),
    }),
    [`${prefix}lengths`]: hostTensor('int32', [size], lengths),
  };
}

/** The inputs that a batch of `batch` rows of `count` tokens feeds: see {@link tokenTypes}. */
export function tokenInputs(spec: TokenSpec, batch: Size, count: number, prefix = ''): Tokens {
  const inputs = Object.fromEntries(
    Object.entries(tokenTypes(spec, batch, count, prefix)).map(([name, { dtype, shape }]) => [
      name.slice(prefix.length),
      input(name, dtype, shape),
    ]),
  );
  const { ids, values, lengths } = inputs;
  return {
    ids,
    values,
    lengths,
    padding: logicalNot(less(reshape(iota(count), [1, count]), reshape(lengths, [batch, 1]))),
    batch,
    count,
  };
}

/** A batch of tokens as vectors. */
export interface Embedding {
  /** float32[batch, tokens, width] */
  readonly embedded: Value;
  /**
   * Some tokens of each record alone: their positions int32[batch, n] → float32[batch, n, width]; as if they stood at other
   * positions, if such are given.
   */
  readonly embedAt: (positions: Value, as?: Value) => Value;
  /** float32[tokens, width]: the learned positions of the batch's tokens, which decoders ask with. */
  readonly positions: Value;
  /** float32[vocabulary, width], where there are ids. */
  readonly table?: Value;
}

/** Deviation of fresh embeddings: rows of unit length, so that a tied output layer starts with logits of order one. */
const embeddingDeviation = (width: number) => 1 / Math.sqrt(width);

const embeddingTable = (name: string, rows: number, width: number) =>
  parameter(name, [rows, width], { kind: 'normal', deviation: embeddingDeviation(width) }, { decay: false });

/** Vectors of some tokens of each record: float32[batch, tokens, channels] at int32[batch, n] → float32[batch, n, channels]. */
export function valuesAt(values: Value, positions: Value): Value {
  const channels = staticSize(values.shape[2]);
  const [batch, n] = positions.shape;
  return gatherElements(values, expand(reshape(positions, [batch, n, 1]), [batch, n, channels]), 1);
}

/**
 * Token ids are looked up, token vectors projected, both where both are given; plus position; then layer norm.
 *
 * Without `positions` a token is embedded by what it holds alone, and one learned vector stands in the place of all
 * positions: with nothing beside it, the layer norm would leave no more of a single value than its sign. All numeric columns
 * of a table share their weights, so a number or a missing cell does not tell its column; a category does, since its id
 * belongs to one column.
 */
export function embedTokens(
  spec: TokenSpec,
  tokens: Tokens,
  width: number,
  { positions: positioned = true, dropout }: { positions?: boolean; dropout?: Dropout } = {},
): Embedding {
  return scope('embedding', () => {
    const positions = embeddingTable('positions', spec.maxTokens, width);
    const unplaced = positioned ? undefined : embeddingTable('unplaced', 1, width);
    const table = spec.kind === 'continuous' ? undefined : embeddingTable('tokens', spec.vocabulary, width);
    const projection = scope('projection', () => {
      if (spec.kind === 'discrete') return undefined;
      const channels = spec.kind === 'continuous' ? spec.channels : 1;
      const deviation = embeddingDeviation(width) / Math.sqrt(channels);
      const weight = parameter('weight', [channels, width], { kind: 'normal', deviation });
      // With ids, the id of a present value plays the part of the bias.
      if (table !== undefined) return { channels, weight };
      const bias = parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false });
      return { channels, weight, bias };
    });
    const normalize = layerNormOf('norm', width, { epsilon: 1e-12 });
    const embed = (position: Value, ids?: Value, values?: Value): Value => {
      const parts: Value[] = [unplaced ?? position];
      if (table) parts.push(gather(table, ids!));
      if (projection) {
        const { channels, weight, bias } = projection;
        parts.push(channels === 1 ? multiply(values!, weight) : matmul(values!, weight));
        if (bias) parts.push(bias);
      }
      return normalize(parts.reduce((total, part) => add(part, total)));
    };
    const { ids, values } = tokens;
    const present = slice(positions, 0, 0, tokens.count);
    // A token keeps what is kept of it wherever it is embedded.
    const kept = dropout?.dropout
      ? dropoutMask('embedding', [tokens.batch, tokens.count, width], dropout.dropout, dropout)
      : undefined;
    const drop = (x: Value, mask: Value | undefined) => (mask ? multiply(x, mask) : x);
    return {
      embedded: drop(embed(present, ids, values), kept),
      embedAt: (at, as = at) =>
        drop(
          embed(gather(positions, as), ids && gatherElements(ids, at, 1), values && valuesAt(values, at)),
          kept && valuesAt(kept, at),
        ),
      positions: present,
      table,
    };
  });
}

/** float32[batch, tokens]: 1 = a real token, 0 = padding. */
export const realTokens = (tokens: Tokens): Value => cast(logicalNot(tokens.padding), 'float32');
