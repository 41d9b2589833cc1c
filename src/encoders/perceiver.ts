import { mean, parameter, reshape, scope } from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { embedTokens } from '../layers/token-embedding.js';
import { type Encoder, unattended } from './encoder.js';

/**
 * The Perceiver encoder of SMA (Jaegle et al., ICML 2021; Xie et al., ICLR 2024): learned latents read the tokens
 * once by cross-attention, then attend to each other. The MLP after the cross-attention has the width of its input.
 */
export const perceiver: Encoder = {
  attentionQueries: (config) => config.latents,
  encode(spec, tokens, config, options = {}) {
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embedWidth, options);
    return scope('encoder', () => {
      const { latents, width } = config;
      const learned = parameter(
        'latents',
        [latents, width],
        { kind: 'normal', deviation: 1 },
        { decay: false },
      );
      // One row for the whole batch: what only depends on the latents is computed once.
      let states = attentionBlock('cross_attention', reshape(learned, [1, latents, width]), {
        source: embedded,
        heads: config.crossHeads,
        excluded: unattended(tokens, options.readable),
        hideKeys: options.hiding?.choose,
        widening: 1,
      });
      for (let layer = 0; layer < config.layers; layer++) {
        states = attentionBlock(`layers.${layer}`, states, {
          heads: config.heads,
          widening: config.widening,
        });
      }
      return { embedded, states, pooled: mean(states, [1]), positions, table };
    });
  },
};
