/** Layers: functions from values to values that make their parameters under the scope they are called in. */
export {
  type AttentionOptions,
  attention,
  attentionBlock,
  type BlockOptions,
  checkHeads,
  type HideKeys,
} from './attention.js';
export { type BatchNormOptions, batchNorm } from './batch-norm.js';
export { type ConvolutionOptions, convolution } from './convolution.js';
export type { Dropout, DropoutRates } from './dropout.js';
export { layerNorm, layerNormOf } from './layer-norm.js';
export { linear, linearOf, linearWeight } from './linear.js';
export { binaryCrossEntropy, crossEntropy, squaredError, weightedMean } from './losses.js';
export { mlp } from './mlp.js';
export {
  type Embedding,
  embedTokens,
  realTokens,
  type Tokens,
  tokenFeeds,
  tokenInputs,
  tokenTypes,
  valuesAt,
} from './token-embedding.js';
