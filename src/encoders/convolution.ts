import { logicalOr, scope } from '../graph/index.js';
import { linear } from '../layers/linear.js';
import { convolutionLayer } from '../layers/token-convolution.js';
import { embedTokens } from '../layers/token-embedding.js';
import { type Encoder, refuseAttention } from './encoder.js';
import { meanOf, readableOf } from './readable-states.js';

/**
 * A residual stack of convolutions along the tokens; see `convolutionLayer`. Padding and hidden tokens are 0 before each
 * convolution, so neither influences a state that may be read.
 */
export const convolution: Encoder = {
  encode(spec, tokens, config, options = {}) {
    refuseAttention(config, options);
    const { hiding, dropout } = options;
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
    return scope('encoder', () => {
      const { width, embed_width: embedWidth, widening } = config;
      const unreadable = hiding ? logicalOr(tokens.padding, hiding.choose(undefined)) : tokens.padding;
      const readable = readableOf(unreadable);
      let states = embedWidth === width ? embedded : linear('input', embedded, width);
      for (let layer = 0; layer < config.layers; layer++)
        states = convolutionLayer(`layers.${layer}`, states, { widening, readable, dropout });
      const pooled = meanOf(states, readable);
      const tokenStates = hiding ? undefined : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table, dropout };
    });
  },
};
