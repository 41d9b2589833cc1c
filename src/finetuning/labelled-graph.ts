import type { Encoding } from '../encoders/encoder.js';
import { readTokens } from '../encoders/read-tokens.js';
import {
  cast,
  input,
  parameter,
  parametersOf,
  reshape,
  type Size,
  scope,
  staticSize,
  trackedOf,
  type Value,
} from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { type DropoutRates, dropsAny } from '../layers/dropout.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { binaryCrossEntropy, crossEntropy, squaredError, weightedMean } from '../layers/losses.js';
import { encoderGraph, type ModelConfig } from '../learning/model.js';
import type { TrainableGraph } from '../learning/trainer.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';

/** The head's parameters start so; all others are the encoder's. */
export const HEAD = 'head.';

type Loss = (outputs: Value, labels: Value) => Value;

const classLoss: Loss = (outputs, labels) =>
  reshape(crossEntropy(outputs, cast(reshape(labels, outputs.shape.slice(0, -1)), 'int32')), labels.shape);

/** float32[…, targets] of losses, from outputs float32[…, outputs] and labels float32[…, targets]. */
const lossOf: Record<Task, Loss> = {
  regression: (outputs, labels) =>
    squaredError(reshape(outputs, [...outputs.shape, 1]), reshape(labels, [...labels.shape, 1])),
  binary: binaryCrossEntropy,
  multilabel: binaryCrossEntropy,
  multiclass: classLoss,
  'per-token': classLoss,
};

/**
 * Outputs in training, and those in evaluation: the same where nothing is normalised by the batch or dropped. Otherwise the two
 * have parameters of the same names and never stand in one program.
 */
function outputsInBothModes(
  build: (training: boolean) => Value,
  dropout: DropoutRates | undefined,
): { trained: Value; evaluated: Value } {
  const trained = build(true);
  const alike = trackedOf([trained]).length === 0 && !dropsAny(dropout);
  return { trained, evaluated: alike ? trained : build(false) };
}

/** What a head reads of a record: the mean of the encoder's states, or what a learned query finds in them. */
export const heads = ['mean', 'attention'] as const;
export type Head = (typeof heads)[number];

/** An encoder, what fine-tuning drops of it, and the head on it: `mean` by default. */
export interface FinetunedModel extends Pick<ModelConfig, 'spec' | 'encoder' | 'dropout'> {
  readonly head?: Head;
}

/**
 * What a learned query reads from the normalised states, float32[batch, width]: the fine-tuning head of SMA's authors, a
 * block of cross-attention whose query is also added, then a layer norm. Throws Error for heads that do not divide the width.
 * @internal
 */
export function askOnce({ states, unreadable, dropout }: Encoding, heads: number): Value {
  const [batch, , width] = states.shape;
  const query = parameter(
    'query',
    [1, staticSize(width)],
    { kind: 'normal', deviation: 1 },
    { decay: false },
  );
  const read = attentionBlock('cross_attention', reshape(query, [1, 1, width]), {
    source: layerNorm('states_norm', states),
    heads,
    excluded: unreadable,
    widening: 1,
    dropout,
  });
  return layerNorm('norm', reshape(read, [batch, width]), { epsilon: 1e-12 });
}

/**
 * Encoder, then layer norm and one linear layer on the mean of its states, on what a learned query finds in them
 * ({@link askOnce}), or on each token's {@link readTokens}. Missing labels have weight 0. Regression labels come standardised.
 */
export function finetuningGraph(
  model: FinetunedModel,
  spec: LabelSpec,
  size: number,
  tokens: number,
): TrainableGraph {
  const { trained, evaluated } = outputsInBothModes(
    (training) => finetunedOutputs(model, spec, size, tokens, training),
    model.dropout,
  );
  return labelledGraph(trained, spec, evaluated);
}

/** The outputs of {@link finetuningGraph} alone; unless `training`, the batch size may be a name. */
export function finetunedOutputs(
  model: FinetunedModel,
  spec: LabelSpec,
  size: Size,
  tokens: number,
  training = false,
): Value {
  return headOutputs(encoderGraph(model, size, tokens, { training }), model, spec);
}

/** What the head makes of an encoding, float32[size, spec.outputs], or float32[size, tokens, spec.outputs] for labels of tokens. */
export function headOutputs(encoding: Encoding, model: FinetunedModel, spec: LabelSpec): Value {
  return scope('head', () => {
    if (model.head === 'attention') {
      return linear('output', askOnce(encoding, model.encoder.heads), spec.outputs);
    }
    const read = spec.task === 'per-token' ? readTokens(encoding, model.encoder) : encoding.pooled;
    return linear('output', layerNorm('norm', read), spec.outputs);
  });
}

/**
 * The loss of outputs float32[size, spec.outputs], or float32[size, tokens, spec.outputs] for per-token labels, against
 * labels that are fed, and the outputs themselves, or those in evaluation where they are others.
 */
export function labelledGraph(outputs: Value, spec: LabelSpec, evaluated: Value = outputs): TrainableGraph {
  const shape = [...outputs.shape.slice(0, -1), spec.targets];
  const labels = input('labels', 'float32', shape);
  const weights = input('label_weights', 'float32', shape);
  const { mean, weight } = weightedMean(lossOf[spec.task](outputs, labels), weights);
  return {
    loss: mean,
    weight,
    parameters: parametersOf([mean]),
    metrics: {},
    evaluation: { outputs: evaluated },
  };
}
