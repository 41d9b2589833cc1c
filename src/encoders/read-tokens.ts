import { staticSize, type Value } from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { layerNorm } from '../layers/layer-norm.js';
import type { EncoderConfig, Encoding } from './encoder.js';

/**
 * What is known of each token, float32[batch, tokens, channels]. Where the encoder has no state for each token, the
 * embedded tokens, which know their letter and position, ask its states by cross-attention and keep what they knew: the
 * decoder of pretraining, with queries that see their own token. Other `queries` float32[batch, n, channels] ask always.
 */
export function readTokens(
  { embedded, states, tokenStates, unreadable, dropout }: Encoding,
  { heads }: Pick<EncoderConfig, 'heads'>,
  queries: Value = embedded,
): Value {
  if (tokenStates && queries === embedded) return tokenStates;
  return attentionBlock('cross_attention', queries, {
    source: layerNorm('states_norm', states),
    heads: staticSize(queries.shape[2]) % heads === 0 ? heads : 1,
    excluded: unreadable,
    widening: 1,
    dropout,
  });
}
