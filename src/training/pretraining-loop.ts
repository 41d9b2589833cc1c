/** The loop of a pretraining run: batches in order, a step each, validation and checkpoints on the way. */
import type { HostTensors } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import { trackedOf } from '../graph/index.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { objectives } from '../objectives/index.js';
import type { Objective } from '../objectives/objective.js';
import { type Batch, type BatchPlan, epochOrder, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { version } from '../version.js';
import { vectorNorm } from './adamw.js';
import {
  AVERAGE,
  addPrefix,
  type Checkpoint,
  FIRST_MOMENT,
  matchParameters,
  SECOND_MOMENT,
  START,
  saveCheckpoint,
  selectPrefix,
} from './checkpoint-files.js';
import { hashConfig } from './config.js';
import type { Config } from './config-schema.js';
import { MetricsLog, readMetrics } from './metrics-log.js';
import { batchShape, type ModelConfig, objectiveOf, pretrainingGraph } from './model.js';
import {
  collapseSigns,
  hiddenInView,
  type Monitors,
  monitoredRecords,
  monitoringGraph,
  monitorsOf,
  untrainedMonitors,
} from './monitoring.js';
import type { MonitorLabels } from './monitors.js';
import { relativeDistance } from './monitors.js';
import { parameterViews } from './parameters.js';
import type { Hooks } from './progress-event.js';
import { runFile } from './run-folder.js';
import { constantUntil, firstStepAt, scheduledRate, stageOf } from './schedule.js';
import type { TrainableGraph, Trainer, TrainerState } from './trainer.js';

export interface PretrainingContext {
  readonly out: string;
  readonly config: Config;
  readonly model: ModelConfig;
  readonly trainer: Trainer;
  /** float32[maxTokens, outputs]: see `marginalPrediction`. */
  readonly marginal: HostTensor;
  readonly validation: TokenBlock;
  /** Labels of the monitored records, where the run is watched by some. */
  readonly labels?: MonitorLabels;
  readonly buckets: readonly number[];
  /** int32[count]: groups of the training records, of which no batch holds two of one. All records are one block then. */
  readonly groups?: Int32Array;
  /** The training records of one epoch, the same at every call. */
  readonly blocks: () => Iterable<TokenBlock> | AsyncIterable<TokenBlock>;
}

/** Where in a run the next step is. */
export interface Position {
  readonly step: number;
  readonly epoch: number;
  /** Steps done within the epoch. */
  readonly position: number;
}

export interface TrainingResult {
  readonly interrupted: boolean;
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly val_loss: number;
  /** Where the objective has such a reference. */
  readonly val_loss_marginal?: number;
  readonly peak_memory_mib: number;
  readonly checkpoint: string;
}

/** Encoder and objective on batches of `size` rows of `tokens` tokens, as a trainer wants them. */
export function pretrainingGraphFor(model: ModelConfig, size: number, tokens: number): TrainableGraph {
  const shape = batchShape(model, size, tokens);
  const trained = pretrainingGraph(model, shape);
  const { loss, metrics = {}, parameters, targets } = trained;
  // Only where moments are tracked does evaluation differ.
  const evaluated =
    trackedOf([loss]).length > 0 ? pretrainingGraph(model, shape, { training: false }) : trained;
  const { weight, marginalLoss } = evaluated;
  const evaluation = { loss: evaluated.loss, weight, ...(marginalLoss && { marginal_loss: marginalLoss }) };
  const embedding = monitoringGraph(model, size, tokens);
  return { loss, parameters, targets, metrics, evaluation, embedding };
}

/** The vectors that a checkpoint holds, each under its prefix. */
const vectorsOf = ({ parameters, firstMoment, secondMoment, average, start }: TrainerState) =>
  ({
    '': parameters,
    [FIRST_MOMENT]: firstMoment,
    [SECOND_MOMENT]: secondMoment,
    ...(average && { [AVERAGE]: average }),
    ...(start && { [START]: start }),
  }) satisfies Record<string, Float32Array>;

/** What a checkpoint keeps of a trainer, by dotted name. */
export const trainerTensors = ({ layout, state }: Trainer): Record<string, HostTensor> =>
  Object.assign(
    {},
    ...Object.entries(vectorsOf(state)).map(([prefix, flat]) =>
      addPrefix(prefix, parameterViews(layout, flat)),
    ),
  );

/**
 * The state of a trainer as a checkpoint left it, which keeps where the run began if the run is still to `restart` after so
 * many steps. Throws InputError listing whatever does not fit.
 */
export function restoreTrainer(
  { layout, state }: Trainer,
  { path, step, tensors }: Checkpoint,
  restart?: number,
): void {
  state.start = restart !== undefined && step < restart ? new Float32Array(layout.length) : undefined;
  for (const [prefix, flat] of Object.entries(vectorsOf(state))) {
    const values = selectPrefix(prefix, tensors);
    matchParameters(layout.slots, values, path);
    for (const [name, view] of Object.entries(parameterViews(layout, flat))) {
      view.data.set(values[name].data as Float32Array);
    }
  }
}

/** The graph inputs of a batch: its tokens, which rows are records, and the noise that the objective wants, keyed by seed, time and row. */
export function batchFeeds(
  model: ModelConfig,
  batch: Batch,
  noise: { seed: number; purpose: string; step: number; progress: number },
): HostTensors {
  const { size, tokens } = batch;
  const shape = batchShape(model, size, tokens);
  const source = (purpose: string, row: number) =>
    random(noise.seed, `${noise.purpose} ${purpose}`, noise.step, row);
  return {
    ...tokenFeeds(batch),
    rows: hostTensor('float32', [size], new Float32Array(size).fill(1, 0, batch.rows)),
    ...objectiveOf(model).draw(model.objective, model.spec, shape, batch, noise.progress, source),
  };
}

interface Validation {
  readonly val_loss: number;
  readonly val_loss_marginal?: number;
}

/**
 * Validation loss and, where there is such a reference, that of the marginal: each a mean by the objective's weight. The noise is the same every time; the
 * masks are too, unless the objective lets the model's attention choose them.
 */
export async function validate({
  config,
  model,
  trainer,
  marginal,
  validation,
  buckets,
}: PretrainingContext): Promise<Validation> {
  const { seed, batch_size } = config.training;
  const plans = epochOrder(validation, {
    seed,
    epoch: 0,
    blockIndex: 0,
    batchSize: batch_size,
    buckets,
    dropLast: false,
  });
  let [loss, weight] = [0, 0];
  let marginalLoss: number | undefined;
  for (const [index, plan] of plans.entries()) {
    const batch = packBatch(validation, plan.records, batch_size, plan.tokens);
    const feeds = batchFeeds(model, batch, { seed, purpose: 'validation', step: index, progress: 1 });
    const results = await trainer.evaluate(plan.tokens, { ...feeds, marginal });
    const w = Number(results.weight.data[0]);
    loss += w * Number(results.loss.data[0]);
    if (results.marginal_loss) marginalLoss = (marginalLoss ?? 0) + w * Number(results.marginal_loss.data[0]);
    weight += w;
  }
  return {
    val_loss: loss / weight,
    ...(marginalLoss !== undefined && { val_loss_marginal: marginalLoss / weight }),
  };
}

/** float32[count, width]: embeddings of a block's records in its order, with the tokens hidden that a view hides. */
async function embedView(
  { config, model, trainer, buckets }: PretrainingContext,
  block: TokenBlock,
  view: number,
): Promise<Float32Array> {
  const { seed, batch_size: batchSize } = config.training;
  const { width } = model.encoder;
  const embeddings = new Float32Array(block.count * width);
  const plans = epochOrder(block, { seed, epoch: 0, blockIndex: 0, batchSize, buckets, dropLast: false });
  for (const { records, tokens } of plans) {
    const batch = packBatch(block, records, batchSize, tokens);
    const hidden = hiddenInView(model.spec, batch, seed, view);
    const embedded = await trainer.embed(tokens, { ...tokenFeeds(batch), hidden });
    for (let row = 0; row < records.length; row++) {
      embeddings.set(embedded.subarray(row * width, (row + 1) * width), records[row] * width);
    }
  }
  return embeddings;
}

/** The monitors of the networks as they are: the same at every call with the same parameters. */
export async function monitor(context: PretrainingContext): Promise<Monitors> {
  const { validation, labels, model, trainer } = context;
  const { width } = model.encoder;
  const { whole, viewed } = monitoredRecords(validation, width);
  const embeddings = await embedView(context, whole, 0);
  const views = [await embedView(context, viewed, 1), await embedView(context, viewed, 2)] as const;
  const { average, parameters } = trainer.state;
  return {
    ...monitorsOf(embeddings, views, width, labels),
    ...(average && { target_distance: relativeDistance(average, parameters) }),
  };
}

/** The batches of one epoch over a block. Throws LacunaError when the groups of its records fill none. */
export function epochPlans(
  { config, buckets, groups }: Pick<PretrainingContext, 'config' | 'buckets' | 'groups'>,
  block: TokenBlock,
  epoch: number,
  blockIndex: number,
): BatchPlan[] {
  const { seed, batch_size: batchSize } = config.training;
  const dropLast = block.count >= batchSize;
  const plans = epochOrder(block, { seed, epoch, blockIndex, batchSize, buckets, dropLast, groups });
  if (plans.length === 0)
    throw new LacunaError(
      `no batch of ${batchSize} records of ${batchSize} different groups can be made of the ${new Set(groups).size} groups of ${block.count} records; try a smaller --batch-size, or an objective that makes more groups`,
    );
  return plans;
}

/** Every batch of every epoch from a position on: which records of which block. Epochs follow each other without end. */
async function* batchesFrom(
  context: PretrainingContext,
  start: Position,
): AsyncGenerator<{ block: TokenBlock; plan: BatchPlan; epoch: number; position: number }> {
  for (let epoch = start.epoch; ; epoch++) {
    const skip = epoch === start.epoch ? start.position : 0;
    let position = 0;
    let blockIndex = 0;
    for await (const block of context.blocks()) {
      for (const plan of epochPlans(context, block, epoch, blockIndex++)) {
        if (position++ >= skip) yield { block, plan, epoch, position };
      }
    }
  }
}

/** The most memory that the process has had, in MiB. */
const peakMemory = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

const isFiniteState = (state: TrainerState): boolean =>
  Object.values(vectorsOf(state)).every((vector) => Number.isFinite(vectorNorm(vector)));

/** What a run is known by in its checkpoints: its configuration, wherever the data lies. */
export const runHash = (config: Config): string =>
  hashConfig({ ...config, data: { hash: config.data.hash } });

/** After how many steps the objective has the run begin anew, if it has. */
export function restartStep({ objective, training }: Config): number | undefined {
  const of: Objective = objectives[objective.kind];
  return of.restart && firstStepAt(of.restart(objective), training.steps);
}

/** Trains to the last step, or until the signal asks to stop; a checkpoint is left either way. */
export async function trainOnBlocks(
  context: PretrainingContext,
  start: Position = { step: 0, epoch: 0, position: 0 },
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<TrainingResult> {
  const { out, config, model, trainer } = context;
  const { training } = config;
  const { steps, batch_size, seed } = training;
  const objective = objectiveOf(model);
  const restart = restartStep(config);
  const landmark = constantUntil(training);
  const log = await MetricsLog.open(runFile(out, 'metrics'), start.step > 0 ? start.step : undefined);
  const logged = start.step > 0 ? await readMetrics(log.path) : [];
  const lastLogged = logged.at(-1);
  const configHash = runHash(config);

  let at = start;
  let loss = typeof lastLogged?.loss === 'number' ? lastLogged.loss : Number.NaN;
  let valid: Validation = { val_loss: Number.NaN };
  let monitors: Monitors | undefined;
  const warned = new Set<string>();
  const advice = `try a lower --learning-rate than ${training.learning_rate}`;
  const save = async (): Promise<string> => {
    if (!isFiniteState(trainer.state)) {
      throw new LacunaError(
        `step ${at.step}: the parameters are not finite after it, so no checkpoint of it was written; ${advice}`,
      );
    }
    log.flush();
    const metadata = { epoch: at.epoch, position: at.position, config_hash: configHash, version };
    return saveCheckpoint(out, { step: at.step, tensors: trainerTensors(trainer), metadata, landmark });
  };

  try {
    const started = performance.now();
    if (start.step === 0) {
      monitors = await monitor(context);
      log.append({ step: 0, ...monitors });
    }
    const untrained = start.step === 0 ? monitors : untrainedMonitors(logged);
    // Milliseconds of the steps since the last logged line, validation and checkpoints left out.
    let window = { steps: 0, total: 0, waited: 0 };
    const batches = batchesFrom(context, start);
    while (at.step < steps && !signal?.aborted) {
      const begun = performance.now();
      const next = await batches.next();
      if (next.done) break;
      const { block, plan, epoch, position } = next.value;
      const batch = packBatch(block, plan.records, batch_size, plan.tokens);
      const progress = at.step / steps;
      const feeds = batchFeeds(model, batch, { seed, purpose: 'training', step: at.step, progress });
      const waited = performance.now() - begun;

      const gradient = await trainer.gradient(plan.tokens, feeds);
      loss = gradient.loss;
      if (!Number.isFinite(loss) || !Number.isFinite(gradient.norm)) {
        const kept = isFiniteState(trainer.state)
          ? `the parameters before it are kept in ${await save()}`
          : 'the last checkpoint is kept';
        throw new LacunaError(
          `step ${at.step + 1}: the ${Number.isFinite(loss) ? 'gradient' : 'loss'} is not finite; ${kept}. ` +
            `Its batch holds the file rows ${[...batch.fileRows.subarray(0, batch.rows)].join(', ')}; ${advice}`,
        );
      }
      const { begins, ends } = stageOf(at.step, steps, restart);
      const learningRate = scheduledRate(training, at.step - begins, ends - begins);
      at = { step: at.step + 1, epoch, position };
      await trainer.update(at.step - begins, learningRate, gradient.norm);
      if (objective.momentum) trainer.follow(objective.momentum(model.objective, progress));
      window = {
        steps: window.steps + 1,
        total: window.total + performance.now() - begun,
        waited: window.waited + waited,
      };

      const last = at.step === steps;
      const validates = at.step % training.valid_steps === 0 || last;
      if (validates) {
        valid = await validate(context);
        monitors = await monitor(context);
        onEvent({ type: 'valid', step: at.step, steps, epoch, ...valid, ...monitors });
        const signs = at.step >= training.warmup_steps ? collapseSigns(monitors, config, untrained) : [];
        for (const [name, sign] of signs) {
          if (!warned.has(name)) onEvent({ type: 'warning', message: `step ${at.step}: ${sign}` });
          warned.add(name);
        }
      }
      if (at.step % training.log_steps === 0 || validates) {
        const seconds = (performance.now() - started) / 1000;
        const line = { step: at.step, epoch, loss, lr: learningRate, gradient_norm: gradient.norm };
        const speed = {
          samples_per_second: (1000 * batch_size * window.steps) / window.total,
          data_wait: window.waited / window.total,
          peak_memory_mib: peakMemory(),
        };
        log.append({
          ...line,
          ...gradient.metrics,
          ...(validates && { ...valid, ...monitors }),
          ...speed,
          seconds,
        });
        onEvent({
          type: 'step',
          steps,
          ...line,
          ...(Number.isFinite(valid.val_loss) && { ...valid, ...monitors }),
          ...speed,
          seconds_left: (seconds / (at.step - start.step)) * (steps - at.step),
        });
        window = { steps: 0, total: 0, waited: 0 };
      }
      if (at.step === restart && !last) trainer.restart();
      if ((at.step % training.checkpoint_steps === 0 || at.step === landmark) && !last) await save();
    }
    await batches.return(undefined);
    const checkpoint = await save();
    if (!Number.isFinite(valid.val_loss)) valid = await validate(context);
    return {
      interrupted: at.step < steps,
      step: at.step,
      epoch: at.epoch,
      loss,
      ...valid,
      peak_memory_mib: peakMemory(),
      checkpoint,
    };
  } finally {
    log.dispose();
  }
}
