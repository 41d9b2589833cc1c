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
import { dropsAny } from '../layers/dropout.js';
import { layerNorm, layerNormOf } from '../layers/layer-norm.js';
import { linearOf } from '../layers/linear.js';
import { binaryCrossEntropy, crossEntropy, squaredError, weightedMean } from '../layers/losses.js';
import { encoderGraph, type ModelConfig } from '../learning/model.js';
import type { TrainableGraph } from '../learning/trainer.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import { type RegularizerConfig, regularizerNamed } from './regularizers/index.js';
import { AUXILIARY, type TuningConfig, tuned } from './tunings/index.js';

/** The head's parameters start so. */
export const HEAD = 'head.';

/** Whether a parameter of a fine-tuning is the encoder's: neither the head's nor one of training alone. */
export const ofEncoder = (name: string): boolean => !name.startsWith(HEAD) && !name.startsWith(AUXILIARY);

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

/** What a head reads of a record: the mean of the encoder's states, or what a learned query finds in them. */
export const heads = ['mean', 'attention'] as const;
export type Head = (typeof heads)[number];

/** An encoder, what fine-tuning drops of it, the head on it (`mean` by default), and how both are trained. */
export interface FinetunedModel extends Pick<ModelConfig, 'spec' | 'encoder' | 'dropout'> {
  readonly head?: Head;
  /** What of the encoder is trained; all by default. */
  readonly tuning?: TuningConfig;
  /** What is minimised instead of the loss of the labels alone. */
  readonly regularizer?: RegularizerConfig;
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
 * Where not all of the encoder is trained, batch norm goes by its running moments.
 */
export function finetuningGraph(
  model: FinetunedModel,
  spec: LabelSpec,
  size: number,
  tokens: number,
): TrainableGraph {
  const { dropout, tuning, regularizer } = model;
  const whole = tuning === undefined || tuning.kind === 'full';
  const build = (training: boolean) => {
    const encoding = encoderGraph(model, size, tokens, { training });
    const { read, outputs } = headOf(encoding, model, spec);
    return { read, head: outputs, outputs: outputs(read) };
  };
  const trained = build(whole || dropsAny(dropout));
  const alike = trackedOf([trained.outputs]).length === 0 && !dropsAny(dropout);
  const evaluated = alike ? trained : build(false);
  const graph = labelledGraph(
    trained.outputs,
    spec,
    evaluated.outputs,
    regularizer && { ...trained, regularizer },
  );
  if (whole) return graph;
  const [loss, outputs] = tuned([graph.loss, evaluated.outputs], tuning, ofEncoder);
  return { ...graph, loss, parameters: parametersOf([loss]), evaluation: { outputs } };
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
  const { read, outputs } = headOf(encoding, model, spec);
  return outputs(read);
}

/** What the head reads, float32[size, width] or float32[size, tokens, width], and its outputs for any such. */
function headOf(
  encoding: Encoding,
  model: FinetunedModel,
  spec: LabelSpec,
): { read: Value; outputs: (read: Value) => Value } {
  return scope('head', () => {
    const output = (read: Value) => linearOf('output', staticSize(read.shape.at(-1)!), spec.outputs);
    if (model.head === 'attention') {
      const read = askOnce(encoding, model.encoder.heads);
      return { read, outputs: output(read) };
    }
    const read = spec.task === 'per-token' ? readTokens(encoding, model.encoder) : encoding.pooled;
    const normalize = layerNormOf('norm', staticSize(read.shape.at(-1)!));
    const linear = output(read);
    return { read, outputs: (x) => linear(normalize(x)) };
  });
}

/**
 * The loss of outputs float32[size, spec.outputs], or float32[size, tokens, spec.outputs] for per-token labels, against
 * labels that are fed, and the outputs themselves, or those in evaluation where they are others. A regularizer makes the
 * loss of what the head read, float32[size, width].
 */
export function labelledGraph(
  outputs: Value,
  spec: LabelSpec,
  evaluated: Value = outputs,
  regularized?: { regularizer: RegularizerConfig; read: Value; head: (read: Value) => Value },
): TrainableGraph {
  const shape = [...outputs.shape.slice(0, -1), spec.targets];
  const labels = input('labels', 'float32', shape);
  const weights = input('label_weights', 'float32', shape);
  const losses = lossOf[spec.task];
  const { mean, weight } = regularized
    ? regularizerNamed(regularized.regularizer.kind).loss(regularized.regularizer, {
        ...regularized,
        task: spec.task,
        labels,
        weights,
        losses,
      })
    : weightedMean(losses(outputs, labels), weights);
  return {
    loss: mean,
    weight,
    parameters: parametersOf([mean]),
    metrics: {},
    evaluation: { outputs: evaluated },
  };
}
