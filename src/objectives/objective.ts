import type { AttentionMap, EncodeOptions, EncoderConfig, Encoding } from '../encoders/encoder.js';
import type { EncoderKind, EncoderOptions } from '../encoders/index.js';
import type { HostTensors } from '../engine/engine.js';
import type { Value } from '../graph/index.js';
import type { Tokens } from '../layers/token-embedding.js';
import type { OptionsOf } from '../options.js';
import type { Batch } from '../records/batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import type { Random } from '../tensor/random.js';
import type { DType, HostTensor } from '../tensor/tensor.js';

/** The static shape of a batch, and what is known of the model when noise is declared or drawn. */
export interface BatchShape {
  readonly size: number;
  readonly tokens: number;
  /** The encoder's first attention map, where it has one. */
  readonly attentionMap?: AttentionMap;
  /** Channels of the encoder's states. */
  readonly width: number;
}

/** A graph input that an objective draws for each batch. */
export interface NoiseType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What an objective builds its loss from. */
export interface ObjectiveInputs {
  readonly spec: TokenSpec;
  readonly tokens: Tokens;
  /** The values of the declared noise, by name. */
  readonly noise: Readonly<Record<string, Value>>;
  readonly shape: BatchShape;
  /** float32[size]: 1 for a record, 0 for a row that only fills up the last batch of a validation. */
  readonly rows: Value;
  /** float32[maxTokens, outputs]: what a model that knows only the training marginal would predict. */
  readonly marginal: Value;
  readonly encoder: EncoderConfig;
  /**
   * The rows of the whole batch, of which several ranks have a part each: float32 or int32[views · own rows, …], view by view,
   * to the same of all rows. What mixes records is built of it, and then the same at every rank. Itself for one process.
   */
  across(rows: Value, views?: number): Value;
  /** Whether batch norm takes the moments of the batch, or the running ones, as in the encoder. */
  readonly training: boolean;
  /** The encoder on the batch's tokens, or on others of any number of rows; its parameters are the same at every call. */
  encode(options?: EncodeOptions & { readonly tokens?: Tokens }): Encoding;
  /**
   * Builds with the parameters of the target network, each an average of the trained one that has its name without
   * `target.`; no gradient flows through what is returned, a value or a record of some.
   */
  target<T extends Targets<T>>(build: () => T): T;
}

/** A value, or a record of values, some of which may be missing; what else it holds stays as it is. */
export type Targets<T> = Value | { readonly [K in keyof T]: object | undefined };

/** What an objective gives a training. */
export interface ObjectiveOutputs {
  /** float32[]: what is minimised. */
  readonly loss: Value;
  /** float32[]: by what to weight this batch's loss in an average over batches, such as how many records it has. */
  readonly weight: Value;
  /**
   * float32[]: the same loss for a model that predicts the training marginal, where that has a meaning; the reference
   * line of a run.
   */
  readonly marginalLoss?: Value;
  /** bool[batch, tokens]: what was hidden of the batch's own tokens, for pictures and tests. */
  readonly hidden?: Value;
  /** Scalars float32[] that are logged beside the loss of a step, under these names. */
  readonly metrics?: Readonly<Record<string, Value>>;
}

/** What an objective may ask of a run before it starts. */
export interface RunFacts {
  readonly spec: TokenSpec;
  readonly encoder: EncoderConfig;
  /** Whether it starts from the parameters of another run. */
  readonly from: boolean;
}

/** What an objective may group the training records by: the records themselves, and a network of its own. */
export interface GroupingContext {
  readonly spec: TokenSpec;
  /** All training records. */
  readonly block: TokenBlock;
  readonly seed: number;
  /**
   * Trains a network for some steps of AdamW, with a learning rate that falls from its peak along half a cosine, and gives
   * what computes its outputs; the tensors are reused by the next call. `build` is called once, so all batches have one shape.
   * Throws LacunaError when the loss is not finite.
   */
  train<K extends string>(network: {
    readonly build: () => { readonly loss: Value; readonly outputs: Readonly<Record<K, Value>> };
    readonly feeds: (step: number) => HostTensors;
    readonly steps: number;
    readonly learningRate: number;
  }): Promise<(feeds: HostTensors) => Promise<Readonly<Record<K, HostTensor>>>>;
}

/** One way to learn without labels, with options `O`. The trainer never asks which. */
export interface Objective<O extends object = object> {
  /** Where it comes from. */
  readonly paper: string;
  /** Its configuration keys. */
  readonly options: OptionsOf<O>;
  /** All options of a run: those that were chosen, and for the rest what suits the tokens and the encoder. */
  defaults(spec: TokenSpec, encoder: EncoderConfig, chosen: Partial<O>): O;
  /** The encoder that it wants where the configuration says nothing, and what that one shall have. */
  encoderDefaults?(spec: TokenSpec): ({ readonly kind: EncoderKind } & EncoderOptions) | undefined;
  /** Records that a batch needs for its loss to say anything; 1 by default. */
  readonly leastRecords?: number;
  /**
   * Whether several ranks may each have a part of a batch; not by default. Of `loss` the loss is the mean of its parts' losses
   * by their weights, given the noise, or what mixes records is built of what `ObjectiveInputs.across` gives, the weight too.
   * Of `noise and loss` the noise of a row does not depend on other rows either.
   */
  byRecord?(options: O, spec: TokenSpec): 'noise and loss' | 'loss' | undefined;
  /** Throws InputError for options that do not go with the rest of the run. */
  check?(options: O, run: RunFacts): void;
  /** The host noise it wants for a batch of this shape, with a row for each record, view by view; names are graph inputs. */
  noise(options: O, spec: TokenSpec, shape: BatchShape): Readonly<Record<string, NoiseType>>;
  /** Draws that noise. `progress` is the share of the run that is done, 0 … 1; `source` gives each row its numbers. */
  draw(
    options: O,
    spec: TokenSpec,
    shape: BatchShape,
    batch: Batch,
    progress: number,
    source: (purpose: string, row: number) => Random,
  ): Readonly<Record<string, HostTensor>>;
  /** The loss of a batch as a graph. It is built once for each batch length, in training and perhaps in evaluation. */
  build(options: O, inputs: ObjectiveInputs): ObjectiveOutputs;
  /**
   * Of an objective with a target network: after a step the target's parameters are `momentum` times themselves plus
   * (1 − momentum) times the trained ones. `progress` is that of the step.
   */
  momentum?(options: O, progress: number): number;
  /**
   * Of an objective that learns several times: the shares of the run, 0 … 1 and ascending, after each of which the target
   * network becomes a copy of the trained one, that goes back to where the run began, and the learning rate begins again.
   */
  restarts?(options: O): readonly number[];
  /**
   * The group of each training record, int32[count], where no batch may hold two records of one group. It is computed
   * again when a run is resumed, so it has to follow from what it is given.
   */
  groups?(options: O, context: GroupingContext): Promise<Int32Array>;
}
