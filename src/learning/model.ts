/** The graphs of a run: an encoder, with an objective on it or alone. */
import { alone, type Ranks } from '../cluster/ranks.js';
import type { EncodeOptions, EncoderPart, Encoding } from '../encoders/encoder.js';
import { type EncoderSpec, encoderNamed } from '../encoders/index.js';
import type { Work } from '../engine/device-choice.js';
import type { HostTensors } from '../engine/engine.js';
import {
  add,
  constant,
  gradients,
  input,
  outerScope,
  type ParameterNode,
  type Program,
  parametersOf,
  reshape,
  type Size,
  sharingLeaves,
  staticSize,
  stopGradient,
  type Value,
} from '../graph/index.js';
import { type Dropout, type DropoutRates, dropsAny } from '../layers/dropout.js';
import { type Tokens, tokenInputs } from '../layers/token-embedding.js';
import { type ObjectiveConfig, objectiveNamed } from '../objectives/index.js';
import { decoderOutputs } from '../objectives/masked-autoencoding.js';
import type { BatchShape, Objective, ObjectiveOutputs, Targets } from '../objectives/objective.js';
import { acrossRanks, type SharedRows } from '../objectives/whole-batch.js';
import type { TokenSpec } from '../records/token-block.js';
import type { Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { type FeatureLoss, withFeatureLoss } from './feature-loss.js';
import { type ParameterLayout, parameterLayout, TARGET } from './parameters.js';
import { firstStepAt } from './schedule.js';

/** What a run learns: from which tokens, with which encoder, by which objective. */
export interface ModelConfig {
  readonly spec: TokenSpec;
  readonly encoder: EncoderSpec;
  readonly objective: ObjectiveConfig;
  /** What training drops, if anything. */
  readonly dropout?: DropoutRates;
  /** What training predicts of whole records, if anything. */
  readonly features?: FeatureLoss;
}

/** int32[size]: the input from which all that is dropped of each record follows. */
const DROPOUT_SEEDS = 'dropout_seeds';

/** The number of each row of a batch, from which what is dropped of it follows; nothing where the model drops nothing. */
export const dropoutFeeds = (
  { dropout }: Pick<ModelConfig, 'dropout'>,
  size: number,
  source: (purpose: string, row: number) => Random,
): HostTensors =>
  dropsAny(dropout)
    ? {
        [DROPOUT_SEEDS]: hostTensor(
          'int32',
          [size],
          Int32Array.from({ length: size }, (_, row) => source('dropout', row).integer(2 ** 32) | 0),
        ),
      }
    : {};

/** What a pass over `rows` rows drops, the `call`th of a program over a batch of `size`: several views of a record drop apart. */
function dropoutOf(
  rates: DropoutRates | undefined,
  size: number,
  rows: number,
  call: number,
): Dropout | undefined {
  if (!dropsAny(rates)) return undefined;
  if (rows % size !== 0) throw new Error(`dropout: ${rows} rows are not views of ${size} records`);
  const views = rows / size;
  const salts = Int32Array.from({ length: views }, (_, view) => call * 65_537 + view * 257);
  const seeds = add(
    reshape(input(DROPOUT_SEEDS, 'int32', [size]), [1, size]),
    constant(hostTensor('int32', [views, 1], salts)),
  );
  return { ...rates, seeds: reshape(seeds, [rows]) };
}

export const objectiveOf = (model: ModelConfig): Objective => objectiveNamed(model.objective.kind);

/** After how many of a run's steps the objective has the networks begin anew, each time that it has. */
export function restartSteps(model: ModelConfig, steps: number): readonly number[] {
  const { restarts } = objectiveOf(model);
  return restarts?.(model.objective).map((share) => firstStepAt(share, steps)) ?? [];
}

/** The shape of a batch of `size` rows of `tokens` tokens, for the noise of an objective. */
export function batchShape({ encoder }: ModelConfig, size: number, tokens: number): BatchShape {
  const attentionMap = encoderNamed(encoder.kind).attentionMap?.(encoder, tokens);
  return { size, tokens, width: encoder.width, ...(attentionMap && { attentionMap }) };
}

/** The graph of a pretraining step. */
export interface PretrainingGraph extends ObjectiveOutputs {
  /** The rows that ranks share before the loss can be computed; none for one process. */
  readonly shared: readonly SharedRows[];
  /** What the encoder gave the objective, call by call. */
  readonly encodings: readonly Encoding[];
  /** All that is trained; the encoder's parameters are among them even where the loss does not depend on each. */
  readonly parameters: readonly ParameterNode[];
  /** Parameters of the target network. */
  readonly targets: readonly ParameterNode[];
}

const stopGradients = <T extends Targets<T>>(values: T): T =>
  isValue(values)
    ? (stopGradient(values) as T)
    : (Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, isValue(value) ? stopGradient(value) : value]),
      ) as T);

const isValue = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && 'node' in value;

/**
 * Encoder and objective on batches of one shape, in training or in evaluation: see `EncodeOptions.training`. Of several
 * `ranks` the shape is that of each one's part. Inputs and parameters of one name are one, however often they are built.
 */
export const pretrainingGraph = (
  model: ModelConfig,
  shape: BatchShape,
  { training = true, ranks = alone, part }: { training?: boolean; ranks?: Ranks; part?: EncoderPart } = {},
): PretrainingGraph =>
  sharingLeaves(() => {
    const { spec } = model;
    const encoder = encoderNamed(model.encoder.kind);
    const objective = objectiveOf(model);
    const batch = tokenInputs(spec, shape.size, shape.tokens);
    const noise = Object.fromEntries(
      Object.entries(objective.noise(model.objective, spec, shape)).map(([name, type]) => [
        name,
        input(name, type.dtype, type.shape),
      ]),
    );
    const encodings: Encoding[] = [];
    let inTarget = false;
    const { shared, across } = acrossRanks(ranks, () => inTarget);
    const outputs = objective.build(model.objective, {
      spec,
      tokens: batch,
      noise,
      shape,
      rows: input('rows', 'float32', [shape.size]),
      marginal: input('marginal', 'float32', [spec.maxTokens, decoderOutputs(spec)]),
      encoder: model.encoder,
      training,
      across,
      encode({ tokens = batch, ...options } = {}) {
        // A target network drops nothing.
        const dropout =
          training && !inTarget
            ? dropoutOf(model.dropout, shape.size, Number(tokens.batch), encodings.length)
            : undefined;
        const encoding = encoder.encode(spec, tokens, model.encoder, {
          ...options,
          training,
          ...(dropout && { dropout }),
          ...(part && { part }),
        });
        encodings.push(encoding);
        return encoding;
      },
      target(build) {
        inTarget = true;
        try {
          return stopGradients(outerScope(TARGET, build));
        } finally {
          inTarget = false;
        }
      },
    });
    // The parameters of the whole encoder are part of a run, whatever of it the objective uses.
    const { states, pooled } = encoder.encode(spec, batch, model.encoder, {
      training,
      ...(part && { part }),
    });
    const { features } = model;
    const trained = training && features ? withFeatureLoss(outputs, features, pooled, shape.size) : outputs;
    const all = parametersOf([trained.loss, ...shared.map(({ own }) => own), states, pooled]);
    const isTarget = ({ name }: ParameterNode) => name.startsWith(`${TARGET}.`);
    const targets = all.filter(isTarget);
    if (targets.length > 0 && !objective.momentum)
      throw new Error(`${model.objective.kind}: a target network needs a momentum`);
    return { ...trained, shared, encodings, parameters: all.filter((node) => !isTarget(node)), targets };
  });

/** The name under which a gradient program gives the gradient of a parameter. */
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

/** The layer of an encoder's stack that a scope is in; the first of a transformer, which also chooses what to hide, is none. */
const stackedLayer = (scope: string): string | undefined => /^encoder\.layers\.\d+/.exec(scope)?.[0];

/**
 * loss, unless `outputs` has one, further outputs, and the gradient of each parameter under its `gradientName`. With `recompute` the layers of
 * the encoder's stack are computed a second time for the gradient instead of being kept in memory.
 */
export function gradientProgram(
  name: string,
  loss: Value,
  parameters: readonly ParameterNode[],
  outputs: Readonly<Record<string, Value>>,
  { recompute = false }: { recompute?: boolean } = {},
): Program {
  const values = gradients(
    loss,
    parameters.map((node) => node.outputs[0]),
    recompute ? { recompute: stackedLayer } : {},
  );
  const named = Object.fromEntries(parameters.map((node, i) => [gradientName(node.name), values[i]]));
  return { name, outputs: { loss, ...outputs, ...named } };
}

/** The parameters that an embedding depends on. */
export const encoderLayout = (model: Pick<ModelConfig, 'spec' | 'encoder'>): ParameterLayout =>
  parameterLayout(parametersOf([encoderGraph(model, 1, model.spec.maxTokens).pooled]));

/**
 * The encoder alone, nothing hidden: pooled float32[batch, width] and states. Unless `training`, the batch size may be a
 * name.
 */
export function encoderGraph(
  { spec, encoder, dropout: rates }: Pick<ModelConfig, 'spec' | 'encoder' | 'dropout'>,
  batch: Size,
  count: number,
  options: Pick<EncodeOptions, 'training'> = {},
): Encoding & { readonly tokens: Tokens } {
  const tokens = tokenInputs(spec, batch, count);
  const dropout = options.training ? dropoutOf(rates, staticSize(batch), staticSize(batch), 0) : undefined;
  const how = { ...options, ...(dropout && { dropout }) };
  return { ...encoderNamed(encoder.kind).encode(spec, tokens, encoder, how), tokens };
}

/** What the encoder takes for a batch of records of the longest length, for the choice of a device. */
export const encoderWork = (
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  { batch = 64, passes }: { readonly batch?: number; readonly passes: number },
): Work => ({ outputs: [encoderGraph(model, batch, model.spec.maxTokens).pooled], passes });
