import {
  cast,
  divide,
  iota,
  less,
  logicalNot,
  logicalOr,
  multiply,
  reshape,
  scope,
  stopGradient,
  sum,
  topK,
  type Value,
} from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { linearOf } from '../layers/linear.js';
import { embedTokens, type Tokens } from '../layers/token-embedding.js';
import { type Encoder, unattended } from './encoder.js';

/** Positions int64[batch, count] of the tokens that may be read, in order, and bool[batch, count]: true = there is none. */
function readableTokens(unreadable: Value, tokens: Tokens, count: number) {
  const readable = cast(logicalNot(unreadable), 'float32');
  const missing = logicalNot(
    less(cast(reshape(iota(count), [1, count]), 'float32'), sum(readable, [1], { keepSizes: true })),
  );
  return { positions: topK(readable, count).indices, missing: reshape(missing, [tokens.batch, count]) };
}

/**
 * A plain pre-norm transformer encoder. Hidden tokens are chosen from the first layer's attention map over all tokens;
 * then that layer and the others are computed for the visible tokens alone, as in He et al., CVPR 2022, so no state
 * has seen a hidden one.
 */
export const transformer: Encoder = {
  attentionQueries: (_, tokens) => tokens,
  encode(spec, tokens, config, { hiding, readable, ...options } = {}) {
    if (hiding && readable) throw new Error('transformer: tokens are hidden or readable, not both');
    const { embedded, embedAt, positions, table } = embedTokens(spec, tokens, config.embedWidth, options);
    return scope('encoder', () => {
      const { width, embedWidth } = config;
      const input = embedWidth === width ? (x: Value) => x : linearOf('input', embedWidth, width);
      const block = { heads: config.heads, widening: config.widening };
      let states = input(embedded);
      let unreadable: Value = tokens.padding;
      if (hiding) {
        states = attentionBlock('layers.0', stopGradient(states), {
          ...block,
          excluded: tokens.padding,
          narrow: (attention) => {
            const hidden = logicalOr(tokens.padding, hiding.choose(attention));
            const visible = readableTokens(hidden, tokens, hiding.visible);
            unreadable = visible.missing;
            return { states: input(embedAt(visible.positions)), excluded: visible.missing };
          },
        });
      }
      for (let layer = hiding ? 1 : 0; layer < config.layers; layer++) {
        const excluded = hiding ? unreadable : unattended(tokens, readable);
        states = attentionBlock(`layers.${layer}`, states, { ...block, excluded });
      }
      const kept = reshape(cast(logicalNot(unreadable), 'float32'), [...unreadable.shape, 1]);
      const pooled = divide(sum(multiply(states, kept), [1]), sum(kept, [1]));
      const tokenStates = hiding ? undefined : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table };
    });
  },
};
