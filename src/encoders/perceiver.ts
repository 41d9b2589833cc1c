import { z } from 'zod';
import { mean, parameter, reshape, scope } from '../graph/index.js';
import { attentionBlock, checkHeads } from '../layers/attention.js';
import { embedTokens } from '../layers/token-embedding.js';
import { type Encoder, unattended } from './encoder.js';

export interface PerceiverOptions {
  readonly latents: number;
  readonly cross_heads: number;
}

/**
 * The Perceiver encoder of SMA (Jaegle et al., ICML 2021; Xie et al., ICLR 2024): learned latents read the tokens
 * once by cross-attention, then attend to each other. The MLP after the cross-attention has the width of its input.
 */
export const perceiver: Encoder<PerceiverOptions> = {
  options: {
    latents: { type: z.int().min(1), description: 'learned latent vectors of a perceiver', example: 64 },
    cross_heads: {
      type: z.int().min(1),
      description: "heads of a perceiver's cross-attention",
      example: 1,
    },
  },
  defaults: ({ maxTokens }, _sizes, { latents, cross_heads = 1 }) => ({
    // The largest power of two that is at most half as many as there are tokens.
    latents: latents ?? Math.max(16, Math.min(128, 2 ** Math.floor(Math.log2(Math.max(1, maxTokens / 2))))),
    cross_heads,
  }),
  check: ({ cross_heads, width }) =>
    checkHeads('encoder.cross_heads', cross_heads, { 'encoder.width': width }),
  attentionMap: ({ latents, cross_heads }) => ({ heads: cross_heads, queries: latents, tokensAsk: false }),
  encode(spec, tokens, config, options = {}) {
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
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
        heads: config.cross_heads,
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
