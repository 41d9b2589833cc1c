import {
  add,
  cast,
  gather,
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
  type Value,
} from '../graph/index.js';
import type { TokenSpec } from '../records/token-block.js';
import { layerNorm } from './layer-norm.js';

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

/** The inputs that a batch of `batch` rows of `count` tokens feeds. */
export function tokenInputs(spec: TokenSpec, batch: Size, count: number): Tokens {
  const lengths = input('lengths', 'int32', [batch]);
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  return {
    ids: spec.kind === 'continuous' ? undefined : input('ids', 'int32', [batch, count]),
    values: spec.kind === 'discrete' ? undefined : input('values', 'float32', [batch, count, channels]),
    lengths,
    padding: logicalNot(less(reshape(iota(count), [1, count]), reshape(lengths, [batch, 1]))),
    batch,
    count,
  };
}

export interface Embedding {
  /** float32[batch, tokens, width] */
  readonly embedded: Value;
  /** float32[maxTokens, width]: the learned positions, which decoders ask with. */
  readonly positions: Value;
  /** float32[vocabulary, width], where there are ids. */
  readonly table?: Value;
}

/** Deviation of fresh embeddings: rows of unit length, so that a tied output layer starts with logits of order one. */
const embeddingDeviation = (width: number) => 1 / Math.sqrt(width);

const embeddingTable = (name: string, rows: number, width: number) =>
  parameter(name, [rows, width], { kind: 'normal', deviation: embeddingDeviation(width) }, { decay: false });

/** Token ids are looked up, token vectors projected, both where both are given; plus position; then layer norm. */
export function embedTokens(spec: TokenSpec, tokens: Tokens, width: number): Embedding {
  return scope('embedding', () => {
    const positions = embeddingTable('positions', spec.maxTokens, width);
    const parts = [slice(positions, 0, 0, tokens.count)];
    let table: Value | undefined;
    if (spec.kind !== 'continuous') {
      table = embeddingTable('tokens', spec.vocabulary, width);
      parts.push(gather(table, tokens.ids!));
    }
    if (spec.kind !== 'discrete') {
      const channels = spec.kind === 'continuous' ? spec.channels : 1;
      const weight = scope('projection', () =>
        parameter('weight', [channels, width], {
          kind: 'normal',
          deviation: embeddingDeviation(width) / Math.sqrt(channels),
        }),
      );
      parts.push(channels === 1 ? multiply(tokens.values!, weight) : matmul(tokens.values!, weight));
    }
    if (spec.kind === 'continuous') {
      // With ids, the id of a present value plays the part of the bias.
      parts.push(
        scope('projection', () =>
          parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false }),
        ),
      );
    }
    const total = parts.slice(1).reduce((sum, part) => add(part, sum), parts[0]);
    return { embedded: layerNorm('norm', total, { epsilon: 1e-12 }), positions, table };
  });
}

/** float32[batch, tokens]: 1 = a real token, 0 = padding. */
export const realTokens = (tokens: Tokens): Value => cast(logicalNot(tokens.padding), 'float32');
