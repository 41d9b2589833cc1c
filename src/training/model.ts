/** The graphs of a run: an encoder, with an objective on it or alone. */
import type { EncoderConfig, Encoding } from '../encoders/encoder.js';
import { type EncoderKind, encoders } from '../encoders/index.js';
import {
  gradients,
  input,
  type ParameterNode,
  type Program,
  parametersOf,
  type Size,
  type Value,
} from '../graph/index.js';
import { type Tokens, tokenInputs } from '../layers/token-embedding.js';
import { type ObjectiveConfig, objectives } from '../objectives/index.js';
import { decoderOutputs } from '../objectives/masked-autoencoding.js';
import type { BatchShape, Objective, ObjectiveOutputs } from '../objectives/objective.js';
import type { TokenSpec } from '../records/token-block.js';

export interface ModelConfig {
  readonly spec: TokenSpec;
  readonly encoder: EncoderConfig & { readonly kind: EncoderKind };
  readonly objective: ObjectiveConfig;
}

export const objectiveOf = (model: ModelConfig): Objective => objectives[model.objective.kind];

export function batchShape({ encoder }: ModelConfig, size: number, tokens: number): BatchShape {
  return { size, tokens, attentionQueries: encoders[encoder.kind].attentionQueries(encoder, tokens) };
}

export interface PretrainingGraph extends ObjectiveOutputs {
  readonly encoding: Encoding;
  readonly parameters: readonly ParameterNode[];
}

/** Encoder and objective on batches of one shape. */
export function pretrainingGraph(model: ModelConfig, shape: BatchShape): PretrainingGraph {
  const { spec } = model;
  const objective = objectiveOf(model);
  const tokens = tokenInputs(spec, shape.size, shape.tokens);
  const noise = Object.fromEntries(
    Object.entries(objective.noise(model.objective, spec, shape)).map(([name, type]) => [
      name,
      input(name, type.dtype, type.shape),
    ]),
  );
  let encoding: Encoding | undefined;
  const outputs = objective.build(model.objective, {
    spec,
    tokens,
    noise,
    shape,
    marginal: input('marginal', 'float32', [spec.maxTokens, decoderOutputs(spec)]),
    encode(hiding) {
      encoding = encoders[model.encoder.kind].encode(spec, tokens, model.encoder, hiding);
      return encoding;
    },
  });
  return { ...outputs, encoding: encoding!, parameters: parametersOf([outputs.loss]) };
}

/** The name under which a gradient program gives the gradient of a parameter. */
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

/** The layer of an encoder's stack that a scope is in. */
const stackedLayer = (scope: string): string | undefined => /^encoder\.layers\.\d+/.exec(scope)?.[0];

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

/** The encoder alone, nothing hidden: pooled float32[batch, width] and states. The batch size may be a name. */
export function encoderGraph(
  { spec, encoder }: Pick<ModelConfig, 'spec' | 'encoder'>,
  batch: Size,
  count: number,
): Encoding & { readonly tokens: Tokens } {
  const tokens = tokenInputs(spec, batch, count);
  return { ...encoders[encoder.kind].encode(spec, tokens, encoder), tokens };
}
