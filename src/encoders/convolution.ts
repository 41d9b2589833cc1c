import {
  add,
  cast,
  divide,
  gelu,
  logicalNot,
  logicalOr,
  multiply,
  reshape,
  scope,
  sum,
  transpose,
  type Value,
} from '../graph/index.js';
import { convolution as convolve } from '../layers/convolution.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { mlp } from '../layers/mlp.js';
import { embedTokens } from '../layers/token-embedding.js';
import { type Encoder, refuseAttention } from './encoder.js';

/** Tokens that one filter reads. */
const KERNEL = 5;

/** Filters along the tokens, as many as there are channels: float32[batch, tokens, channels] to the same. */
function convolveTokens(name: string, x: Value, filters: number): Value {
  const [batch, tokens, channels] = x.shape;
  // On channels before tokens, with both ways there and back, it is faster than a product with windows laid out.
  const signal = reshape(transpose(x, [0, 2, 1]), [batch, channels, 1, tokens]);
  const found = convolve(name, signal, filters, { kernel: [1, KERNEL] });
  return transpose(reshape(found, [batch, filters, tokens]), [0, 2, 1]);
}

/**
 * A residual stack of convolutions along the tokens, in the manner of ByteNet (Kalchbrenner et al., 2016) and CARP (Yang,
 * Fusi & Lu, 2022): layer norm, filters over five tokens, GELU, and an MLP at each token. Departures: no dilation, so a
 * state reads two tokens further to either side with each layer; filters of full width, and one norm a layer. Padding
 * and hidden tokens are 0 before each convolution, so neither influences a state that may be read.
 */
export const convolution: Encoder = {
  encode(spec, tokens, config, options = {}) {
    refuseAttention(config, options);
    const { hiding } = options;
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
    return scope('encoder', () => {
      const { width, embed_width: embedWidth } = config;
      const unreadable = hiding ? logicalOr(tokens.padding, hiding.choose(undefined)) : tokens.padding;
      const readable = reshape(cast(logicalNot(unreadable), 'float32'), [...unreadable.shape, 1]);
      let states = embedWidth === width ? embedded : linear('input', embedded, width);
      for (let layer = 0; layer < config.layers; layer++) {
        states = scope(`layers.${layer}`, () => {
          const read = multiply(layerNorm('norm', states), readable);
          const found = gelu(convolveTokens('convolution', read, width));
          return add(mlp('mlp', found, config.widening), states);
        });
      }
      const pooled = divide(sum(multiply(states, readable), [1]), sum(readable, [1]));
      const tokenStates = hiding ? undefined : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table };
    });
  },
};
