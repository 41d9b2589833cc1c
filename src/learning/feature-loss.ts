/** The loss of a run that also predicts features of whole records: see `training.feature_targets`. */
import { add, input, multiply, scalar, scope, type Value } from '../graph/index.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { squaredError, weightedMean } from '../layers/losses.js';
import type { ObjectiveOutputs } from '../objectives/objective.js';
import type { TokenBlock } from '../records/token-block.js';
import type { HostTensor } from '../tensor/tensor.js';

/** What is predicted beside what the objective hides. */
export interface FeatureLoss {
  /** How many features a record has. */
  readonly dimension: number;
  /** What their loss counts for beside that of the objective. */
  readonly weight: number;
}

/** Features of the records of any block: the inputs of the graph, for some of them in the first of `size` rows. */
export interface RecordFeatures {
  of(
    block: TokenBlock,
    records: ArrayLike<number>,
    size: number,
  ): Promise<{
    /** float32[size, dimension]: standardised; 0 in rows without features. */
    readonly features: HostTensor;
    /** float32[size]: 1 for a row that has features. */
    readonly described: HostTensor;
  }>;
}

/**
 * The outputs of an objective with a loss of features more, of inputs that `RecordFeatures.of` gives: the mean squared error with which a layer norm and one linear layer
 * predict the standardised features of a record from the mean state float32[size, width] of all its tokens, as multi-task
 * regression does (Ahmad et al., "ChemBERTa-2", 2022; Fabian et al., "MolBERT", 2020), but beside any objective. A model that
 * knows only the means of the features has about 1. It is logged as `feature_loss`.
 */
export function withFeatureLoss(
  outputs: ObjectiveOutputs,
  { dimension, weight }: FeatureLoss,
  pooled: Value,
  size: number,
): ObjectiveOutputs {
  const features = input('features', 'float32', [size, dimension]);
  const described = input('described', 'float32', [size]);
  const predicted = scope('features', () => linear('output', layerNorm('norm', pooled), dimension));
  const { mean } = weightedMean(squaredError(predicted, features), described);
  return {
    ...outputs,
    loss: add(outputs.loss, multiply(mean, scalar(weight))),
    metrics: { ...outputs.metrics, feature_loss: mean },
  };
}
