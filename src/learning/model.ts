/** The graphs of a run: an encoder, with an objective on it or alone. */
import type { EncodeOptions, Encoding } from '../encoders/encoder.js';
import { type EncoderSpec, encoderNamed } from '../encoders/index.js';
import {
  gradients,
  input,
  outerScope,
  type ParameterNode,
  type Program,
  parametersOf,
  type Size,
  sharingLeaves,
  stopGradient,
  type Value,
} from '../graph/index.js';
import { type Tokens, tokenInputs } from '../layers/token-embedding.js';
import { type ObjectiveConfig, objectiveNamed } from '../objectives/index.js';
import { decoderOutputs } from '../objectives/masked-autoencoding.js';
import type { BatchShape, Objective, ObjectiveOutputs, Targets } from '../objectives/objective.js';
import type { TokenSpec } from '../records/token-block.js';
import { type ParameterLayout, parameterLayout, TARGET } from './parameters.js';
import { firstStepAt } from './schedule.js';

/** What a run learns: from which tokens, with which encoder, by which objective. */
export interface ModelConfig {
  readonly spec: TokenSpec;
  readonly encoder: EncoderSpec;
  readonly objective: ObjectiveConfig;
}

export const objectiveOf = (model: ModelConfig): Objective => objectiveNamed(model.objective.kind);

/** After how many of a run's steps the objective has the networks begin anew, if it has. */
export function restartStep(model: ModelConfig, steps: number): number | undefined {
  const { restart } = objectiveOf(model);
  return restart && firstStepAt(restart(model.objective), steps);
}

/** The shape of a batch of `size` rows of `tokens` tokens, for the noise of an objective. */
export function batchShape({ encoder }: ModelConfig, size: number, tokens: number): BatchShape {
  const attentionMap = encoderNamed(encoder.kind).attentionMap?.(encoder, tokens);
  return { size, tokens, width: encoder.width, ...(attentionMap && { attentionMap }) };
}

/** The graph of a pretraining step. */
export interface PretrainingGraph extends ObjectiveOutputs {
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
 * Encoder and objective on batches of one shape, in training or in evaluation: see `EncodeOptions.training`. Inputs and
 * parameters of one name are one, however often they are built.
 */
export const pretrainingGraph = (
  model: ModelConfig,
  shape: BatchShape,
  { training = true }: { training?: boolean } = {},
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
    const outputs = objective.build(model.objective, {
      spec,
      tokens: batch,
      noise,
      shape,
      rows: input('rows', 'float32', [shape.size]),
      marginal: input('marginal', 'float32', [spec.maxTokens, decoderOutputs(spec)]),
      encoder: model.encoder,
      training,
      encode({ tokens = batch, ...options } = {}) {
        const encoding = encoder.encode(spec, tokens, model.encoder, { ...options, training });
        encodings.push(encoding);
        return encoding;
      },
      target: (build) => stopGradients(outerScope(TARGET, build)),
    });
    // The parameters of the whole encoder are part of a run, whatever of it the objective uses.
    const { states, pooled } = encoder.encode(spec, batch, model.encoder, { training });
    const all = parametersOf([outputs.loss, states, pooled]);
    const isTarget = ({ name }: ParameterNode) => name.startsWith(`${TARGET}.`);
    const targets = all.filter(isTarget);
    if (targets.length > 0 && !objective.momentum)
      throw new Error(`${model.objective.kind}: a target network needs a momentum`);
    return { ...outputs, encodings, parameters: all.filter((node) => !isTarget(node)), targets };
  });

/** The name under which a gradient program gives the gradient of a parameter. */
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

/** The layer of an encoder's stack that a scope is in. */
const stackedLayer = (scope: string): string | undefined =>
  /^encoder\.(first_layer|layers\.\d+)/.exec(scope)?.[0];

/**
 * loss, further outputs, and the gradient of each parameter under its `gradientName`. With `recompute` the layers of
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
  { spec, encoder }: Pick<ModelConfig, 'spec' | 'encoder'>,
  batch: Size,
  count: number,
  options: Pick<EncodeOptions, 'training'> = {},
): Encoding & { readonly tokens: Tokens } {
  const tokens = tokenInputs(spec, batch, count);
  return { ...encoderNamed(encoder.kind).encode(spec, tokens, encoder, options), tokens };
}
