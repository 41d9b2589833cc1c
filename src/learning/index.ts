/** Training by hand: batches, graphs, parameters, the optimizer, the loop of steps, and what tells whether it learns. */

export type { Ranks, Summable } from '../cluster/ranks.js';
export {
  type Batch,
  type BatchPlan,
  blockLengths,
  bucketLengths,
  concatenateBlocks,
  type EpochOptions,
  epochOrder,
  gatherBlocks,
  packBatch,
  takeRecords,
} from '../records/batch.js';
export { type Random, random } from '../tensor/random.js';
export { type AdamW, type AdamWOptions, type AdamWState, adamW, vectorNorm } from './adamw.js';
export type { FeatureLoss, RecordFeatures } from './feature-loss.js';
export { marginalPrediction } from './marginal.js';
export {
  batchShape,
  encoderGraph,
  encoderLayout,
  gradientName,
  gradientProgram,
  type ModelConfig,
  objectiveOf,
  type PretrainingGraph,
  pretrainingGraph,
  restartSteps,
} from './model.js';
export { type Monitors, monitorsOf } from './monitors.js';
export {
  initializeParameters,
  type ParameterLayout,
  type ParameterSlot,
  parameterLayout,
  parameterViews,
  targetViews,
} from './parameters.js';
export { recordGroups } from './record-groups.js';
export {
  alignment,
  cosines,
  effectiveRank,
  type MonitorLabels,
  nearestNeighborScore,
  relativeDistance,
  standardDeviations,
  uniformity,
} from './representation-measures.js';
export {
  type InfiniteSchedule,
  infiniteRateAt,
  learningRateAt,
  type Schedule,
  scheduledRate,
} from './schedule.js';
export {
  batchFeeds,
  epochPlans,
  monitor,
  type NoiseKey,
  type Position,
  type Pretraining,
  type PretrainingBatch,
  type PretrainingSettings,
  pretrainingGraphFor,
  pretrainingSteps,
  type Validation,
  validate,
} from './self-supervision.js';
export {
  NonFiniteStep,
  type Step,
  type StepBatch,
  type StepOptions,
  trainingSteps,
} from './steps.js';
export {
  type StepSettings,
  type Substitute,
  type TakenStep,
  type TrainableGraph,
  Trainer,
  type TrainerOptions,
  type TrainerState,
} from './trainer.js';
