import type { Encoding } from '../encoders/encoder.js';
import { cast, input, less, parametersOf, reshape, scalar, scope, type Value } from '../graph/index.js';
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

/** The input that draws which tokens a training step drops: float32[batch, tokens], uniform in [0, 1). */
export const DROPOUT_SCORES = 'dropout_scores';

/**
 * Encoder, mean-pooled, then layer norm and one linear layer; the authors of SMA also offer a decoder with learned
 * queries as a head, which is not built here. Missing labels have weight 0. Regression labels come standardised.
 * With `tokenDropout` each token is hidden from the encoder with that probability in training, never in evaluation.
 */
export function finetuningGraph(
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  spec: LabelSpec,
  size: number,
  tokens: number,
  { tokenDropout = 0 }: { tokenDropout?: number } = {},
): TrainableGraph {
  const head = ({ pooled }: Encoding) =>
    scope('head', () => linear('output', layerNorm('norm', pooled), spec.outputs));
  const whole = head(encoderGraph(model, size, tokens));
  if (tokenDropout === 0) return labelledGraph(whole, spec);
  const scores = input(DROPOUT_SCORES, 'float32', [size, tokens]);
  const choose = () => less(scores, scalar(tokenDropout));
  const trained = labelledGraph(head(encoderGraph(model, size, tokens, { choose, visible: tokens })), spec);
  return { ...trained, evaluation: { outputs: whole } };
}

/** The loss of outputs float32[size, spec.outputs] against labels that are fed, and the outputs themselves. */
export function labelledGraph(outputs: Value, spec: LabelSpec): TrainableGraph {
  const shape = [outputs.shape[0], spec.targets];
  const labels = input('labels', 'float32', shape);
  const weights = input('label_weights', 'float32', shape);
  const { mean } = weightedMean(lossOf[spec.task](outputs, labels), weights);
  return { loss: mean, parameters: parametersOf([mean]), metrics: {}, evaluation: { outputs } };
}
