/**
 * What every masked autoencoder shares: hide the chosen tokens from the encoder, decode only those, score only those.
 * The decoder is SMA's: position embeddings ask, the encoder's states answer. Each question is independent of the
 * others, so decoding the hidden positions alone gives the same loss and gradients as decoding all of them.
 */
import { z } from 'zod';
import type { EncoderConfig, Encoding } from '../encoders/encoder.js';
import {
  add,
  constant,
  equal,
  expand,
  gather,
  gatherElements,
  less,
  matmul,
  multiply,
  parameter,
  reshape,
  scalar,
  scatterElements,
  scope,
  slice,
  staticSize,
  topK,
  type Value,
  where,
} from '../graph/index.js';
import { attentionBlock, checkHeads } from '../layers/attention.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { crossEntropy, squaredError, weightedMean } from '../layers/losses.js';
import { type Tokens, valuesAt } from '../layers/token-embedding.js';
import type { Batch } from '../records/batch.js';
import { MISSING_ID, type TokenSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import type { BatchShape, Objective, ObjectiveInputs, ObjectiveOutputs, RunFacts } from './objective.js';

/** What every masked autoencoder can be told. */
export interface MaskingOptions {
  /** Share of the real tokens that is hidden. */
  readonly masking_ratio: number;
  /** Heads of the decoder's cross-attention. */
  readonly decoder_heads: number;
  /** Whether discrete tokens are predicted with the transposed embedding table. */
  readonly tied_output: boolean;
}

/** Their declarations. */
export const maskingOptions: Objective<MaskingOptions>['options'] = {
  masking_ratio: {
    type: z.number().gt(0).lt(1),
    description: 'part of the tokens that is hidden',
    example: 0.2,
  },
  decoder_heads: { type: z.int().min(1), description: "heads of the decoder's cross-attention", example: 4 },
  tied_output: { type: z.boolean(), description: 'output weights are the input embedding', example: true },
};

const MASKING_RATIO: Readonly<Record<TokenSpec['kind'], number>> = {
  discrete: 0.2,
  fields: 0.2,
  continuous: 0.5,
};

/** All of them: those that were chosen, and for the rest what suits the tokens and the encoder. */
export const maskingDefaults = (
  spec: TokenSpec,
  { embed_width: embedWidth, heads }: EncoderConfig,
  chosen: Partial<MaskingOptions>,
): MaskingOptions => ({
  masking_ratio: chosen.masking_ratio ?? MASKING_RATIO[spec.kind],
  decoder_heads: chosen.decoder_heads ?? (embedWidth % heads === 0 ? heads : 1),
  tied_output: chosen.tied_output ?? true,
});

/** Throws InputError for decoder heads that do not divide the encoder's widths. */
export const checkMasking = (
  { decoder_heads }: Pick<MaskingOptions, 'decoder_heads'>,
  { encoder }: RunFacts,
): void =>
  checkHeads('objective.decoder_heads', decoder_heads, {
    'encoder.width': encoder.width,
    'encoder.embed_width': encoder.embed_width,
  });

/** To the nearest whole number, halves to the even one, as Python and PyTorch round. */
export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * The nearest whole number of a part of `length` tokens. In the authors' code rows of ids, whose lengths vary, multiply in
 * single precision and others in double.
 */
export const roundedShare = (spec: TokenSpec, ratio: number, length: number): number =>
  roundHalfToEven(spec.kind === 'discrete' ? Math.fround(Math.fround(ratio) * length) : ratio * length);

/** How many of `length` tokens to hide: at least one, and at least one is left to see. */
export const hiddenCount = (spec: TokenSpec, length: number, ratio: number): number =>
  Math.max(0, Math.min(length - 1, Math.max(1, roundedShare(spec, ratio, length))));

/** float32[size, k]: 1 for the first `count(row)` places of each row. Rows that only fill the batch up have none. */
export function leadingOnes(batch: Batch, k: number, count: (length: number, row: number) => number) {
  const data = new Float32Array(batch.size * k);
  for (let row = 0; row < batch.rows; row++) {
    data.fill(1, row * k, row * k + Math.min(k, count(batch.lengths[row], row)));
  }
  return hostTensor('float32', [batch.size, k], data);
}

/** The tokens to hide: int32[batch, k] distinct positions, and float32[batch, k] 1 where the place is used. */
export interface Selection {
  readonly positions: Value;
  readonly used: Value;
}

/** The positions with the largest scores float32[batch, tokens]; padding comes last. */
export function selectLargest(scores: Value, tokens: Tokens, used: Value): Selection {
  const k = staticSize(used.shape[1]);
  return { positions: topK(where(tokens.padding, scalar(-1), scores), k).indices, used };
}

/** bool[batch, tokens]: true at the selected positions. */
export function selectedMask({ positions, used }: Selection, tokens: Tokens): Value {
  const zeros = expand(scalar(0), [tokens.batch, tokens.count]);
  return less(scalar(0.5), scatterElements(zeros, positions, used, 1, 'none'));
}

/** Numbers per token that the decoder gives: logits, channels, or one number and the logits of all categories. */
export function decoderOutputs(spec: TokenSpec): number {
  switch (spec.kind) {
    case 'discrete':
      return spec.vocabulary;
    case 'continuous':
      return spec.channels;
    case 'fields':
      return 1 + spec.vocabulary;
  }
}

/**
 * The loss of each hidden token, float32[batch, k], of predictions float32[batch, k, outputs]: cross-entropy in nats
 * for ids, squared error in units of the training variance for values. Missing cells are not scored.
 */
export function tokenLosses(
  spec: TokenSpec,
  tokens: Tokens,
  positions: Value,
  predicted: Value,
): { loss: Value; scored?: Value } {
  const targetIds = () => gatherElements(tokens.ids!, positions, 1);
  const targetValues = () => valuesAt(tokens.values!, positions);
  switch (spec.kind) {
    case 'discrete':
      return { loss: crossEntropy(predicted, targetIds()) };
    case 'continuous':
      return { loss: squaredError(predicted, targetValues()) };
    case 'fields': {
      const ids = targetIds();
      const missing = equal(ids, constant(hostTensor('int32', [], Int32Array.of(MISSING_ID))));
      const scored = where(missing, scalar(0), scalar(1));
      const numeric = squaredError(slice(predicted, 2, 0, 1), targetValues());
      if (spec.fields.every((field) => field.type === 'numeric')) return { loss: numeric, scored };
      // Each categorical field chooses among its own categories.
      const outside = new Float32Array(spec.maxTokens * spec.vocabulary);
      const isNumeric = new Float32Array(spec.maxTokens);
      spec.fields.forEach(({ type, firstId, size }, position) => {
        isNumeric[position] = type === 'numeric' ? 1 : 0;
        if (type === 'categorical') {
          const row = outside.subarray(position * spec.vocabulary, (position + 1) * spec.vocabulary);
          row.fill(-1e9).fill(0, firstId, firstId + size);
        }
      });
      const bias = gather(
        constant(hostTensor('float32', [spec.maxTokens, spec.vocabulary], outside)),
        positions,
      );
      const categorical = crossEntropy(add(slice(predicted, 2, 1, 1 + spec.vocabulary), bias), ids);
      const numericField = gather(constant(hostTensor('float32', [spec.maxTokens], isNumeric)), positions);
      return { loss: where(less(scalar(0.5), numericField), numeric, categorical), scored };
    }
  }
}

/** float32[batch, k, embed_width]: what the decoder makes of the states for the given positions, before its output layer. */
export const askStates = (
  { states, positions: embeddings, unreadable, dropout }: Encoding,
  positions: Value,
  heads: number,
): Value =>
  scope('decoder', () => {
    // What is asked at a position is the same in all records, so it is projected once for the batch.
    const decoded = attentionBlock('cross_attention', reshape(embeddings, [1, ...embeddings.shape]), {
      asked: positions,
      source: layerNorm('states_norm', states),
      heads,
      keyWidth: staticSize(states.shape[2]),
      excluded: unreadable,
      residual: false,
      widening: 1,
      dropout,
    });
    return layerNorm('output_norm', decoded, { epsilon: 1e-12 });
  });

/** What the decoder predicts at the given positions: float32[batch, k, outputs]. */
export function decode(
  spec: TokenSpec,
  encoding: Encoding,
  positions: Value,
  { heads, tied }: { heads: number; tied: boolean },
): Value {
  const asked = askStates(encoding, positions, heads);
  return scope('decoder', () => {
    if (tied && spec.kind === 'discrete') {
      const bias = parameter(
        'output_bias',
        [spec.vocabulary],
        { kind: 'constant', value: 0 },
        { decay: false },
      );
      return add(matmul(asked, encoding.table!, { transposeB: true }), bias);
    }
    return linear('output', asked, decoderOutputs(spec));
  });
}

/**
 * The encoder on the batch without the tokens that are chosen from the first attention map float32[batch, heads, queries,
 * tokens], or without one where the encoder has none. At most `visible` tokens of a row are left.
 */
export function encodeVisible(
  options: Pick<MaskingOptions, 'masking_ratio'>,
  { spec, tokens, shape, encode }: ObjectiveInputs,
  select: (attention: Value | undefined) => Selection,
  visible: number = mostVisible(options, spec, shape),
): { encoding: Encoding; selection: Selection; hidden: Value } {
  let selection: Selection | undefined;
  let hidden: Value | undefined;
  const encoding = encode({
    hiding: {
      choose(attention) {
        selection = select(attention);
        hidden = selectedMask(selection, tokens);
        return hidden;
      },
      visible,
    },
  });
  if (selection === undefined || hidden === undefined)
    throw new Error('the encoder did not ask what to hide');
  return { encoding, selection, hidden };
}

/** The loss of decoding the selected tokens of the batch from an encoding, and that of the training marginal there. */
export function reconstruct(
  options: MaskingOptions,
  { spec, tokens, marginal }: ObjectiveInputs,
  encoding: Encoding,
  { positions, used }: Selection,
): Required<Pick<ObjectiveOutputs, 'loss' | 'weight' | 'marginalLoss'>> {
  const score = (predicted: Value) => {
    const { loss, scored } = tokenLosses(spec, tokens, positions, predicted);
    return weightedMean(loss, scored ? multiply(used, scored) : used);
  };
  const { mean, weight } = score(
    decode(spec, encoding, positions, { heads: options.decoder_heads, tied: options.tied_output }),
  );
  return { loss: mean, weight, marginalLoss: score(gather(marginal, positions)).mean };
}

/** The whole objective, given how tokens are chosen: see {@link encodeVisible}. */
export function maskedAutoencoding(
  options: MaskingOptions,
  inputs: ObjectiveInputs,
  select: (attention: Value | undefined) => Selection,
  visible?: number,
): Required<Omit<ObjectiveOutputs, 'metrics'>> {
  const { encoding, selection, hidden } = encodeVisible(options, inputs, select, visible);
  return { ...reconstruct(options, inputs, encoding, selection), hidden };
}

/** The most tokens that any row of this shape leaves visible: those of the longest, since a longer row leaves no fewer. */
export const mostVisible = (
  { masking_ratio }: Pick<MaskingOptions, 'masking_ratio'>,
  spec: TokenSpec,
  { tokens }: BatchShape,
): number => tokens - hiddenCount(spec, tokens, masking_ratio);

/** The most tokens that any row of this shape hides. */
export const mostHidden = (
  { masking_ratio }: Pick<MaskingOptions, 'masking_ratio'>,
  spec: TokenSpec,
  { tokens }: BatchShape,
): number => Math.max(1, hiddenCount(spec, tokens, masking_ratio));
