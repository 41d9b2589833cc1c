import { logicalOr, scope, type Value } from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { linear } from '../layers/linear.js';
import { convolutionLayer } from '../layers/token-convolution.js';
import { embedTokens } from '../layers/token-embedding.js';
import { type Encoder, unattended } from './encoder.js';
import { meanOf, readableOf } from './readable-states.js';

/**
 * A first layer of self-attention, that of the transformer, and above it convolutions along the tokens; see
 * `convolutionLayer`. Each state reads the whole record once, so an objective has a map to choose from, and then its
 * neighbours. Hidden tokens are no keys of the attention and 0 before each convolution, so they influence no state that may
 * be read.
 */
export const attentiveConvolution: Encoder = {
  attentionMap: ({ heads }, tokens) => ({ heads, queries: tokens, tokensAsk: true }),
  encode(spec, tokens, config, { hiding, readable: toAttend, ...options } = {}) {
    if (hiding && toAttend) throw new Error('attentive-convolution: tokens are hidden or readable, not both');
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
    return scope('encoder', () => {
      const { width, embed_width: embedWidth, heads, widening } = config;
      const { dropout } = options;
      const input = embedWidth === width ? embedded : linear('input', embedded, width);
      let unreadable: Value = tokens.padding;
      let excluded = unattended(tokens, toAttend);
      const narrow =
        hiding &&
        ((attention: Value) => {
          unreadable = logicalOr(tokens.padding, hiding.choose(attention));
          excluded = unreadable;
          return { states: input, excluded };
        });
      const first = { heads, widening, dropout, excluded, normalizesSource: false, narrow };
      let states = attentionBlock('first_layer', input, first);
      const read = readableOf(excluded);
      for (let layer = 1; layer < config.layers; layer++)
        states = convolutionLayer(`layers.${layer}`, states, { widening, readable: read, dropout });
      const pooled = meanOf(states, readableOf(unreadable));
      const tokenStates = hiding ? undefined : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table, dropout };
    });
  },
};
