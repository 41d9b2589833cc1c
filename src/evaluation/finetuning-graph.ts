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

/** float32[rows, targets] of losses, from outputs float32[rows, outputs] and labels float32[rows, targets]. */
const lossOf: Record<Task, (outputs: Value, labels: Value) => Value> = {
  regression: (outputs, labels) =>
    squaredError(reshape(outputs, [...outputs.shape, 1]), reshape(labels, [...labels.shape, 1])),
  binary: binaryCrossEntropy,
  multilabel: binaryCrossEntropy,
  multiclass: (outputs, labels) =>
    reshape(crossEntropy(outputs, cast(reshape(labels, [-1]), 'int32')), labels.shape),
};

/**
 * Encoder, mean-pooled, then layer norm and one linear layer; the authors of SMA also offer a decoder with learned
 * queries as a head, which is not built here. Missing labels have weight 0. Regression labels come standardised.
 */
export function finetuningGraph(
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  spec: LabelSpec,
  size: number,
  tokens: number,
): TrainableGraph {
  const { pooled } = encoderGraph(model, size, tokens);
  const outputs = scope('head', () => linear('output', layerNorm('norm', pooled), spec.outputs));
  return labelledGraph(outputs, spec);
}

/** The loss of outputs float32[size, spec.outputs] against labels that are fed, and the outputs themselves. */
export function labelledGraph(outputs: Value, spec: LabelSpec): TrainableGraph {
  const shape = [outputs.shape[0], spec.targets];
  const labels = input('labels', 'float32', shape);
  const weights = input('label_weights', 'float32', shape);
  const { mean } = weightedMean(lossOf[spec.task](outputs, labels), weights);
  return { loss: mean, parameters: parametersOf([mean]), metrics: {}, evaluation: { outputs } };
}
