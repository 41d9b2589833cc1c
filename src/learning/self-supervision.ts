/** Learning without labels as batches, steps and validations, wherever it runs and whatever is kept of it. */
import { alone, type Ranks } from '../cluster/ranks.js';
import type { HostTensors } from '../engine/engine.js';
import { InputError, LacunaError } from '../errors.js';
import { trackedOf } from '../graph/index.js';
import { dropsAny } from '../layers/dropout.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { objectives } from '../objectives/index.js';
import type { Objective } from '../objectives/objective.js';
import { sharedBy } from '../objectives/whole-batch.js';
import type { Batch, BatchPlan } from '../records/batch.js';
import { epochOrder, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { type HostTensor, hostTensor, zeros } from '../tensor/tensor.js';
import { checkPartSize, partOfRecords, partSize, refuseMoments } from './batch-parts.js';
import type { RecordFeatures } from './feature-loss.js';
import { batchShape, dropoutFeeds, type ModelConfig, objectiveOf, pretrainingGraph } from './model.js';
import { hiddenInView, type Monitors, monitoredRecords, monitoringGraph, monitorsOf } from './monitors.js';
import { type MonitorLabels, relativeDistance } from './representation-measures.js';
import { type Schedule, scheduledRate } from './schedule.js';
import { type Step, type StepBatch, trainingSteps } from './steps.js';
import type { TrainableGraph, Trainer } from './trainer.js';

/** How a run is trained; a run's configuration has these keys among others. */
export interface PretrainingSettings extends Schedule {
  readonly batch_size: number;
  readonly seed: number;
}

/** A run in memory: what is trained, how, and on which records. */
export interface Pretraining {
  readonly model: ModelConfig;
  readonly training: PretrainingSettings;
  readonly trainer: Trainer;
  /** float32[maxTokens, outputs]: see `marginalPrediction`. */
  readonly marginal: HostTensor;
  readonly validation: TokenBlock;
  /** What is predicted of the records of a batch, where something is: see `ModelConfig.features`. */
  readonly features?: RecordFeatures;
  /** Labels of the monitored records, where the run is watched by some. */
  readonly labels?: MonitorLabels;
  /** Batch lengths. */
  readonly buckets: readonly number[];
  /** int32[count]: groups of the training records, of which no batch holds two of one. All records are one block then. */
  readonly groups?: Int32Array;
  /** After how many steps the objective has the run begin anew, each time that it has. */
  readonly restarts?: readonly number[];
  /** The processes of which each has a part of every batch, where there are several: see `checkParts`. */
  readonly ranks?: Ranks;
  /** The training records of an epoch, the same at every call for it. */
  readonly blocks: (epoch: number) => Iterable<TokenBlock> | AsyncIterable<TokenBlock>;
}

/** Where in a run the next step is. */
export interface Position {
  readonly step: number;
  readonly epoch: number;
  /** Steps done within the epoch. */
  readonly position: number;
}

/** Before the first step. */
export const BEGINNING: Position = { step: 0, epoch: 0, position: 0 };

/** A batch of training records: whose rows they are, and where in the run. */
export interface PretrainingBatch extends StepBatch {
  readonly fileRows: Int32Array;
  readonly epoch: number;
  /** Steps done within the epoch when this one is. */
  readonly position: number;
}

/** Encoder and objective on batches of `size` rows, of several ranks for each, of `tokens` tokens, as a trainer wants them. */
export function pretrainingGraphFor(
  model: ModelConfig,
  size: number,
  tokens: number,
  ranks: Ranks = alone,
): TrainableGraph {
  const shape = batchShape(model, size, tokens);
  const trained = pretrainingGraph(model, shape, { ranks });
  const { loss, weight, metrics = {}, parameters, targets, shared } = trained;
  // Only where moments are tracked, something is dropped, or features are predicted does evaluation differ.
  const evaluated =
    trackedOf([loss]).length > 0 || dropsAny(model.dropout) || model.features
      ? pretrainingGraph(model, shape, { training: false, ranks })
      : trained;
  const { marginalLoss } = evaluated;
  const evaluation = {
    loss: evaluated.loss,
    weight: evaluated.weight,
    ...(marginalLoss && { marginal_loss: marginalLoss }),
  };
  const embedding = monitoringGraph(model, size, tokens);
  return {
    loss,
    weight,
    parameters,
    targets,
    metrics,
    shared: sharedBy([loss, weight, ...Object.values(metrics)], shared),
    evaluation,
    evaluationShared: sharedBy(Object.values(evaluation), evaluated.shared),
    embedding,
  };
}

/** What a batch's noise is drawn for. */
export interface NoiseKey {
  readonly seed: number;
  readonly purpose: string;
  readonly step: number;
  /** Share of the run that is done, 0 … 1. */
  readonly progress: number;
  /** Place of the batch's first row in the whole batch, of which a machine may have a part; 0 by default. */
  readonly firstRow?: number;
}

/** The graph inputs of a batch: its tokens, which rows are records, and the noise that the objective wants, keyed by seed, time and row. */
export function batchFeeds(model: ModelConfig, batch: Batch, noise: NoiseKey): HostTensors {
  const { size, tokens } = batch;
  const { seed, purpose, step, progress, firstRow = 0 } = noise;
  const shape = batchShape(model, size, tokens);
  const source = (name: string, row: number) => random(seed, `${purpose} ${name}`, step, firstRow + row);
  return {
    ...tokenFeeds(batch),
    rows: hostTensor('float32', [size], new Float32Array(size).fill(1, 0, batch.rows)),
    ...objectiveOf(model).draw(model.objective, model.spec, shape, batch, progress, source),
    ...dropoutFeeds(model, size, source),
  };
}

/** Throws InputError unless a batch can be divided over the processes without a change to what is learned: see `Objective.byRecord`. */
export function checkParts(
  model: ModelConfig,
  { batch_size }: Pick<PretrainingSettings, 'batch_size'>,
  ranks: Ranks = alone,
): void {
  const { size } = ranks;
  if (size === 1) return;
  checkPartSize('training.batch_size', batch_size, ranks);
  if (model.features)
    throw new InputError(
      `training.feature_targets: several ranks do not share features of records; leave it out, or start one process alone`,
    );
  const objective = objectiveOf(model);
  if (!objective.byRecord?.(model.objective, model.spec)) {
    throw new InputError(
      `objective.kind: ${model.objective.kind}, with these options and records, looks at all records of a batch at once, and each of the ${size} ranks has only a part; start one process alone, or choose another objective, such as ${byRecord(model.spec).join(', ')}`,
    );
  }
  const { loss, shared } = pretrainingGraph(model, batchShape(model, 1, model.spec.maxTokens), { ranks });
  refuseMoments([loss, ...shared.map(({ own }) => own)], model.encoder.kind, ranks);
}

/** The objectives whose batches can be divided. */
const byRecord = (spec: ModelConfig['spec']): string[] =>
  Object.entries<Objective>(objectives).flatMap(([name, objective]) =>
    objective.byRecord?.({}, spec) ? [name] : [],
  );

/** The records of a batch that this process has, and the feeds of a program for them. */
function partOf(
  { training, ranks = alone }: Pick<Pretraining, 'training' | 'ranks'>,
  block: TokenBlock,
  { records, tokens }: BatchPlan,
): Batch & { readonly firstRow: number } {
  const size = partSize(training.batch_size, ranks);
  const { own, firstRow } = partOfRecords(records, training.batch_size, ranks);
  // The last batch of an epoch may leave a process without records: one is fed that does not count.
  const batch = packBatch(block, own.length > 0 ? own : records.subarray(0, 1), size, tokens);
  return { ...batch, rows: own.length, firstRow };
}

/** The feeds of this process's part of a batch, as drawn for the whole. */
function partFeeds(
  pretraining: Pick<Pretraining, 'model' | 'training' | 'ranks'>,
  block: TokenBlock,
  plan: BatchPlan,
  noise: Omit<NoiseKey, 'firstRow'>,
): HostTensors {
  const { model, training, ranks = alone } = pretraining;
  const drawsByRecord = objectiveOf(model).byRecord?.(model.objective, model.spec) === 'noise and loss';
  if (ranks.size === 1 || drawsByRecord) {
    const { firstRow, ...batch } = partOf(pretraining, block, plan);
    return batchFeeds(model, batch, { ...noise, firstRow });
  }
  const { batch_size } = training;
  const whole = batchFeeds(model, packBatch(block, plan.records, batch_size, plan.tokens), noise);
  const shape = batchShape(model, partSize(batch_size, ranks), plan.tokens);
  const own = objectiveOf(model).noise(model.objective, model.spec, shape);
  return Object.fromEntries(
    Object.entries(whole).map(([name, tensor]) => {
      const [rows] = own[name]?.shape ?? [shape.size];
      return [name, tensor.shape[0] === rows ? tensor : rowsOf(tensor, batch_size, ranks)];
    }),
  );
}

/** This process's rows of a tensor that has a row for each record of a batch, view by view. */
function rowsOf({ dtype, shape, data }: HostTensor, batchSize: number, ranks: Ranks): HostTensor {
  const [count, ...rest] = shape;
  const views = count / batchSize;
  const part = data.length / views / ranks.size;
  const own = zeros(dtype, [count / ranks.size, ...rest]);
  for (let view = 0; view < views; view++) {
    const start = (view * ranks.size + ranks.rank) * part;
    own.data.set(data.subarray(start, start + part) as never, view * part);
  }
  return own;
}

/** The batches of one epoch over a block. Throws LacunaError when the groups of its records fill none. */
export function epochPlans(
  { training, buckets, groups }: Pick<Pretraining, 'training' | 'buckets' | 'groups'>,
  block: TokenBlock,
  epoch: number,
  blockIndex: number,
): BatchPlan[] {
  const { seed, batch_size: batchSize } = training;
  const dropLast = block.count >= batchSize;
  const plans = epochOrder(block, { seed, epoch, blockIndex, batchSize, buckets, dropLast, groups });
  if (plans.length === 0)
    throw new LacunaError(
      `no batch of ${batchSize} records of ${batchSize} different groups can be made of the ${new Set(groups).size} groups of ${block.count} records; try a smaller --batch-size, or an objective that makes more groups`,
    );
  return plans;
}

/** Every batch of every epoch from a position on. Epochs follow each other without end. */
async function* batchesFrom(pretraining: Pretraining, start: Position): AsyncGenerator<PretrainingBatch> {
  const { seed, steps } = pretraining.training;
  let { step } = start;
  for (let epoch = start.epoch; ; epoch++) {
    const skip = epoch === start.epoch ? start.position : 0;
    let position = 0;
    let blockIndex = 0;
    for await (const block of pretraining.blocks(epoch)) {
      for (const plan of epochPlans(pretraining, block, epoch, blockIndex++)) {
        if (position++ < skip) continue;
        const { tokens, records } = plan;
        const noise = { seed, purpose: 'training', step, progress: step / steps };
        const targets = await pretraining.features?.of(block, records, pretraining.training.batch_size);
        const feeds = { ...partFeeds(pretraining, block, plan, noise), ...targets };
        step++;
        yield { tokens, feeds, fileRows: records.map((record) => block.rows[record]), epoch, position };
      }
    }
  }
}

/** The steps of a run from a position on; see `trainingSteps`. */
export function pretrainingSteps(
  pretraining: Pretraining,
  start: Position = BEGINNING,
  signal?: AbortSignal,
): AsyncGenerator<Step<PretrainingBatch>, void, void> {
  const { model, training, trainer, restarts } = pretraining;
  const { momentum } = objectiveOf(model);
  return trainingSteps(trainer, {
    batches: batchesFrom(pretraining, start),
    start: start.step,
    steps: training.steps,
    rate: (step, steps) => scheduledRate(training, step, steps),
    restarts,
    momentum: momentum && ((step, steps) => momentum(model.objective, step / steps)),
    signal,
  });
}

/** Mean losses over the validation records. */
export interface Validation {
  readonly val_loss: number;
  readonly val_loss_marginal?: number;
}

/** Each record of a block once, in batches of whatever size; the same at every call. */
const validationPlans = ({ training, buckets }: Pretraining, block: TokenBlock): BatchPlan[] => {
  const { seed, batch_size: batchSize } = training;
  return epochOrder(block, { seed, epoch: 0, blockIndex: 0, batchSize, buckets, dropLast: false });
};

/**
 * Validation loss and, where there is such a reference, that of the marginal: each a mean by the objective's weight. The
 * noise is the same every time; the masks are too, unless the objective lets the model's attention choose them.
 */
export async function validate(pretraining: Pretraining): Promise<Validation> {
  const { training, trainer, marginal, validation, ranks = alone } = pretraining;
  const { seed } = training;
  // Of the losses times their weights, and of the weights.
  const sums = new Float64Array(3);
  let hasMarginal = false;
  for (const [index, plan] of validationPlans(pretraining, validation).entries()) {
    const noise = { seed, purpose: 'validation', step: index, progress: 1 };
    const feeds = partFeeds(pretraining, validation, plan, noise);
    const { loss, marginal_loss, weight } = await trainer.evaluate(plan.tokens, { ...feeds, marginal });
    hasMarginal = marginal_loss !== undefined;
    const w = Number(weight.data[0]);
    if (ranks.size > 1 && w === 0) continue;
    sums[0] += w * Number(loss.data[0]);
    if (marginal_loss) sums[1] += w * Number(marginal_loss.data[0]);
    sums[2] += w;
  }
  await ranks.sum(sums);
  return {
    val_loss: sums[0] / sums[2],
    ...(hasMarginal && { val_loss_marginal: sums[1] / sums[2] }),
  };
}

/** float32[count, width]: embeddings of a block's records in its order, with the tokens hidden that a view hides. */
async function embedView(pretraining: Pretraining, block: TokenBlock, view: number): Promise<Float32Array> {
  const { training, model, trainer, ranks = alone } = pretraining;
  const { width } = model.encoder;
  const embeddings = new Float32Array(block.count * width);
  for (const plan of validationPlans(pretraining, block)) {
    const { firstRow, ...batch } = partOf(pretraining, block, plan);
    const hidden = hiddenInView(model.spec, batch, training.seed, view);
    const embedded = await trainer.embed(plan.tokens, { ...tokenFeeds(batch), hidden });
    for (let row = 0; row < batch.rows; row++) {
      const record = plan.records[firstRow + row];
      embeddings.set(embedded.subarray(row * width, (row + 1) * width), record * width);
    }
  }
  // What another process embedded is 0 here.
  await ranks.sum(embeddings);
  return embeddings;
}

/** The monitors of the networks as they are: the same at every call with the same parameters. */
export async function monitor(pretraining: Pretraining): Promise<Monitors> {
  const { validation, labels, model, trainer } = pretraining;
  const { width } = model.encoder;
  const { whole, viewed } = monitoredRecords(validation, width);
  const embeddings = await embedView(pretraining, whole, 0);
  const views = [await embedView(pretraining, viewed, 1), await embedView(pretraining, viewed, 2)] as const;
  await trainer.fetchState();
  const { average, parameters } = trainer.state;
  return {
    ...monitorsOf(embeddings, views, width, labels),
    ...(average && { target_distance: relativeDistance(average, parameters) }),
  };
}
