import type { Encoding, Hiding } from '../encoders/encoder.js';
import type { Value } from '../graph/index.js';
import type { Tokens } from '../layers/token-embedding.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import type { Random } from '../tensor/random.js';
import type { DType, HostTensor } from '../tensor/tensor.js';

/** What the objective's options may hold; each objective reads those that concern it. */
export interface ObjectiveConfig {
  readonly kind: string;
  /** Share of the real tokens that is hidden. */
  readonly maskingRatio: number;
  /** Hidden tokens per row of the attention map that is drawn (SMA's `num_per_query`). */
  readonly perQuery: number;
  /** Randomness schedule: its share (variable length) or ratio (fixed length) at the first step; null = none. */
  readonly selectInitialRatio: number | null;
  /** Share of the run over which the schedule decays to nothing. */
  readonly scheduleFraction: number;
  /** Heads of the decoder's cross-attention. */
  readonly decoderHeads: number;
  /** Whether discrete tokens are predicted with the transposed embedding table. */
  readonly tiedOutput: boolean;
}

/** The static shape of a batch, and what is known of the model when noise is declared or drawn. */
export interface BatchShape {
  readonly size: number;
  readonly tokens: number;
  /** Rows of the encoder's first attention map; 0 where it has none. */
  readonly attentionQueries: number;
}

export interface NoiseType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface ObjectiveInputs {
  readonly spec: TokenSpec;
  readonly tokens: Tokens;
  /** The values of the declared noise, by name. */
  readonly noise: Readonly<Record<string, Value>>;
  readonly shape: BatchShape;
  /** float32[maxTokens, outputs]: what a model that knows only the training marginal would predict. */
  readonly marginal: Value;
  encode(hiding?: Hiding): Encoding;
}

export interface ObjectiveOutputs {
  /** float32[]: what is minimised. */
  readonly loss: Value;
  /** float32[]: by what to weight this batch's loss in an average over batches. */
  readonly weight: Value;
  /** float32[]: the same loss for a model that predicts the training marginal; the reference line of a run. */
  readonly marginalLoss: Value;
  /** bool[batch, tokens]: what was hidden, for pictures and tests. */
  readonly hidden: Value;
}

/** One way to learn without labels. The trainer never asks which. */
export interface Objective {
  /** Where it comes from. */
  readonly paper: string;
  /** The host noise it wants for a batch of this shape; names are graph inputs. */
  noise(config: ObjectiveConfig, spec: TokenSpec, shape: BatchShape): Readonly<Record<string, NoiseType>>;
  /** Draws that noise. `progress` is the share of the run that is done, 0 … 1; `source` gives each row its numbers. */
  draw(
    config: ObjectiveConfig,
    spec: TokenSpec,
    shape: BatchShape,
    batch: Batch,
    progress: number,
    source: (purpose: string, row: number) => Random,
  ): Readonly<Record<string, HostTensor>>;
  build(config: ObjectiveConfig, inputs: ObjectiveInputs): ObjectiveOutputs;
}
