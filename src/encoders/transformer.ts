import {
  cast,
  divide,
  logicalNot,
  logicalOr,
  multiply,
  reshape,
  scope,
  sum,
  type Value,
} from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { linear } from '../layers/linear.js';
import { embedTokens } from '../layers/token-embedding.js';
import type { Encoder } from './encoder.js';

/**
 * A plain pre-norm transformer encoder, one state per token. Hidden tokens are chosen from the first layer's
 * attention map and are not attended to from that layer on, so no state that is read has seen them.
 */
export const transformer: Encoder = {
  attentionQueries: (_, tokens) => tokens,
  encode(spec, tokens, config, hideTokens) {
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embedWidth);
    return scope('encoder', () => {
      let states = config.embedWidth === config.width ? embedded : linear('input', embedded, config.width);
      let unreadable: Value = tokens.padding;
      for (let layer = 0; layer < config.layers; layer++) {
        states = attentionBlock(`layers.${layer}`, states, {
          heads: config.heads,
          excluded: unreadable,
          hideKeys:
            layer === 0 && hideTokens
              ? (attention) => {
                  const hidden = hideTokens(attention);
                  unreadable = logicalOr(tokens.padding, hidden);
                  return hidden;
                }
              : undefined,
          widening: config.widening,
        });
      }
      const readable = reshape(cast(logicalNot(unreadable), 'float32'), [tokens.batch, tokens.count, 1]);
      const pooled = divide(sum(multiply(states, readable), [1]), sum(readable, [1]));
      return { embedded, states, unreadable, pooled, positions, table };
    });
  },
};
