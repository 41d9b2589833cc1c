import { z } from 'zod';
import type { EncoderConfig, Encoding } from '../encoders/encoder.js';
import { readTokens } from '../encoders/read-tokens.js';
import {
  add,
  cast,
  equal,
  expand,
  iota,
  less,
  log,
  multiply,
  reshape,
  scalar,
  scope,
  slice,
  topK,
  type Value,
  where,
} from '../graph/index.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { crossEntropy, weightedMean } from '../layers/losses.js';
import { realTokens, type Tokens } from '../layers/token-embedding.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { permutation, type Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { roundHalfToEven } from './masked-autoencoding.js';
import type { BatchShape, Objective } from './objective.js';

/** The options of MP3. */
export interface Mp3Options {
  /** Share of the real tokens that is attended to. */
  readonly context_ratio: number;
}

/**
 * How many of `length` tokens are attended to: at least one.
 * @internal
 */
export const contextCount = (length: number, ratio: number): number =>
  Math.max(1, roundHalfToEven(ratio * length));

/** bool[size, tokens]: true for the tokens that are attended to, drawn without replacement; in rows that fill up, the first. */
function contextTokens(
  ratio: number,
  { size, tokens }: BatchShape,
  batch: Batch,
  source: (row: number) => Random,
) {
  const context = new Uint8Array(size * tokens);
  for (let row = 0; row < size; row++) {
    const length = batch.lengths[row];
    const order = row < batch.rows ? permutation(length, source(row)) : Int32Array.of(0);
    for (const token of order.subarray(0, contextCount(length, ratio))) context[row * tokens + token] = 1;
  }
  return hostTensor('bool', [size, tokens], context);
}

/**
 * For each token the logits of its position, float32[batch, tokens, tokens]: a linear layer on the token's state. Where the
 * encoder has no such, the token as embedded asks its states. No position from a record's length on has a chance.
 * @internal
 */
export function positionLogits(
  encoding: Encoding,
  { lengths, batch, count }: Pick<Tokens, 'lengths' | 'batch' | 'count'>,
  { maxTokens }: Pick<TokenSpec, 'maxTokens'>,
  encoder: Pick<EncoderConfig, 'heads'>,
): Value {
  return scope('position', () => {
    const states = layerNorm('output_norm', readTokens(encoding, encoder));
    const logits = slice(linear('output', states, maxTokens), 2, 0, count);
    const real = less(reshape(iota(count), [1, 1, count]), reshape(lengths, [batch, 1, 1]));
    return add(logits, where(real, scalar(0), scalar(-1e9)));
  });
}

/** float32[…]: 1 where the largest logit of float32[…, classes] is that of the target int32[…], else 0. */
function correct(logits: Value, targets: Value): Value {
  const found = reshape(topK(logits, 1).indices, logits.shape.slice(0, -1));
  return cast(equal(found, targets), 'float32');
}

/**
 * MP3 (Zhai et al., ICML 2022): tokens enter without their positions, all attend to a random part of them, and each one's
 * position is predicted among those of its record.
 *
 * Departures from the paper: records differ in length, and positions beyond a record's end are no classes for it; where an
 * encoder has no state for each token, the tokens ask its states by one cross-attention.
 */
export const mp3: Objective<Mp3Options> = {
  paper: 'Zhai et al., "Position Prediction as an Effective Pretraining Strategy", ICML 2022',
  options: {
    context_ratio: {
      type: z.number().gt(0).max(1),
      description: 'part of the tokens that is attended to',
      example: 0.5,
    },
  },
  defaults: (_spec, _encoder, chosen) => ({ context_ratio: chosen.context_ratio ?? 0.5 }),
  byRecord: () => 'noise and loss',
  noise: (_options, _spec, { size, tokens }) => ({ context: { dtype: 'bool', shape: [size, tokens] } }),
  draw: ({ context_ratio }, _spec, shape, batch, _progress, source) => ({
    context: contextTokens(context_ratio, shape, batch, (row) => source('context', row)),
  }),
  build(_options, { spec, tokens, shape, noise, rows, encoder, encode }) {
    const { size, tokens: count } = shape;
    const encoding = encode({ positions: false, readable: noise.context });
    const logits = positionLogits(encoding, tokens, spec, encoder);
    const targets = expand(reshape(iota(count), [1, count]), [size, count]);
    const scored = multiply(realTokens(tokens), reshape(rows, [size, 1]));
    const { mean, weight } = weightedMean(crossEntropy(logits, targets), scored);
    const guessing = expand(reshape(log(cast(tokens.lengths, 'float32')), [size, 1]), [size, count]);
    return {
      loss: mean,
      weight,
      marginalLoss: weightedMean(guessing, scored).mean,
      metrics: { accuracy: weightedMean(correct(logits, targets), scored).mean },
    };
  },
};
