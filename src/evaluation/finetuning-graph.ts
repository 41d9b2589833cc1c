import { readTokens } from '../encoders/read-tokens.js';
import { cast, input, parametersOf, reshape, scope, type Value } from '../graph/index.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { binaryCrossEntropy, crossEntropy, squaredError, weightedMean } from '../layers/losses.js';
import { encoderGraph, type ModelConfig } from '../training/model.js';
import type { TrainableGraph } from '../training/trainer.js';
import type { LabelSpec } from './labels.js';
import type { Task } from './metrics.js';

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
 * Encoder, then layer norm and one linear layer on the mean of its states, or on each token's
 * {@link readTokens}; the authors of SMA also offer a decoder with learned queries as a head, which is not
 * built here. Missing labels have weight 0. Regression labels come standardised.
 */
export function finetuningGraph(
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  spec: LabelSpec,
  size: number,
  tokens: number,
): TrainableGraph {
  const encoding = encoderGraph(model, size, tokens);
  const outputs = scope('head', () => {
    const read = spec.task === 'per-token' ? readTokens(encoding, model.encoder) : encoding.pooled;
    return linear('output', layerNorm('norm', read), spec.outputs);
  });
  return labelledGraph(outputs, spec);
}

/**
 * The loss of outputs float32[size, spec.outputs], or float32[size, tokens, spec.outputs] for per-token labels, against
 * labels that are fed, and the outputs themselves.
 */
export function labelledGraph(outputs: Value, spec: LabelSpec): TrainableGraph {
  const shape = [...outputs.shape.slice(0, -1), spec.targets];
  const labels = input('labels', 'float32', shape);
  const weights = input('label_weights', 'float32', shape);
  const { mean } = weightedMean(lossOf[spec.task](outputs, labels), weights);
  return { loss: mean, parameters: parametersOf([mean]), metrics: {}, evaluation: { outputs } };
}
