/** The loop of a pretraining run: batches in order, a step each, validation and checkpoints on the way. */
import type { HostTensors } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { type Batch, type BatchPlan, epochOrder, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import type { HostTensor } from '../tensor/tensor.js';
import { version } from '../version.js';
import { type AdamWState, vectorNorm } from './adamw.js';
import {
  addPrefix,
  type Checkpoint,
  FIRST_MOMENT,
  matchParameters,
  SECOND_MOMENT,
  saveCheckpoint,
  selectPrefix,
} from './checkpoint-files.js';
import { hashConfig } from './config.js';
import type { Config } from './config-schema.js';
import { MetricsLog, readMetrics } from './metrics-log.js';
import { batchShape, type ModelConfig, objectiveOf, pretrainingGraph } from './model.js';
import { parameterViews } from './parameters.js';
import type { Hooks } from './progress-event.js';
import { runFile } from './run-folder.js';
import { learningRateAt } from './schedule.js';
import type { TrainableGraph, Trainer } from './trainer.js';

export interface PretrainingContext {
  readonly out: string;
  readonly config: Config;
  readonly model: ModelConfig;
  readonly trainer: Trainer;
  /** float32[maxTokens, outputs]: see `marginalPrediction`. */
  readonly marginal: HostTensor;
  readonly validation: TokenBlock;
  readonly buckets: readonly number[];
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
  readonly val_loss_marginal: number;
  readonly peak_memory_mib: number;
  readonly checkpoint: string;
}

/** Encoder and objective on batches of `size` rows of `tokens` tokens, as a trainer wants them. */
export function pretrainingGraphFor(model: ModelConfig, size: number, tokens: number): TrainableGraph {
  const { loss, weight, marginalLoss, parameters } = pretrainingGraph(model, batchShape(model, size, tokens));
  return { loss, parameters, metrics: {}, evaluation: { loss, weight, marginal_loss: marginalLoss } };
}

/** Parameters and moments as a checkpoint left them. Throws InputError listing whatever does not fit. */
export function restoreTrainer(trainer: Trainer, { path, tensors }: Checkpoint): void {
  const { layout, state } = trainer;
  const parts: [Float32Array, Readonly<Record<string, HostTensor>>][] = [
    [state.parameters, tensors],
    [state.firstMoment, selectPrefix(FIRST_MOMENT, tensors)],
    [state.secondMoment, selectPrefix(SECOND_MOMENT, tensors)],
  ];
  for (const [flat, values] of parts) {
    matchParameters(layout.slots, values, path);
    for (const [name, view] of Object.entries(parameterViews(layout, flat))) {
      view.data.set(values[name].data as Float32Array);
    }
  }
}

/** The graph inputs of a batch: its tokens, and the noise that the objective wants, keyed by seed, time and row. */
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
    ...objectiveOf(model).draw(model.objective, model.spec, shape, batch, noise.progress, source),
  };
}

/**
 * Validation loss and that of the marginal, each a mean over the hidden tokens. The noise is the same every time; the
 * masks are too, unless the objective lets the model's attention choose them.
 */
export async function validate({
  config,
  model,
  trainer,
  marginal,
  validation,
  buckets,
}: PretrainingContext): Promise<{ val_loss: number; val_loss_marginal: number }> {
  const { seed, batch_size } = config.training;
  const plans = epochOrder(validation, {
    seed,
    epoch: 0,
    blockIndex: 0,
    batchSize: batch_size,
    buckets,
    dropLast: false,
  });
  let [loss, marginalLoss, weight] = [0, 0, 0];
  for (const [index, plan] of plans.entries()) {
    const batch = packBatch(validation, plan.records, batch_size, plan.tokens);
    const feeds = batchFeeds(model, batch, { seed, purpose: 'validation', step: index, progress: 1 });
    const results = await trainer.evaluate(plan.tokens, { ...feeds, marginal });
    const w = Number(results.weight.data[0]);
    loss += w * Number(results.loss.data[0]);
    marginalLoss += w * Number(results.marginal_loss.data[0]);
    weight += w;
  }
  return { val_loss: loss / weight, val_loss_marginal: marginalLoss / weight };
}

/** Every batch of every epoch from a position on: which records of which block. Epochs follow each other without end. */
async function* batchesFrom(
  { config, blocks, buckets }: PretrainingContext,
  start: Position,
): AsyncGenerator<{ block: TokenBlock; plan: BatchPlan; epoch: number; position: number }> {
  const { seed, batch_size: batchSize } = config.training;
  for (let epoch = start.epoch; ; epoch++) {
    const skip = epoch === start.epoch ? start.position : 0;
    let position = 0;
    let blockIndex = 0;
    for await (const block of blocks()) {
      const plans = epochOrder(block, {
        seed,
        epoch,
        blockIndex: blockIndex++,
        batchSize,
        buckets,
        dropLast: block.count >= batchSize,
      });
      for (const plan of plans) {
        if (position++ >= skip) yield { block, plan, epoch, position };
      }
    }
  }
}

/** The most memory that the process has had, in MiB. */
const peakMemory = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

const isFiniteState = ({ parameters, firstMoment, secondMoment }: AdamWState): boolean =>
  [parameters, firstMoment, secondMoment].every((vector) => Number.isFinite(vectorNorm(vector)));

/** What a run is known by in its checkpoints: its configuration, wherever the data lies. */
export const runHash = (config: Config): string =>
  hashConfig({ ...config, data: { hash: config.data.hash } });

/** Trains to the last step, or until the signal asks to stop; a checkpoint is left either way. */
export async function trainOnBlocks(
  context: PretrainingContext,
  start: Position = { step: 0, epoch: 0, position: 0 },
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<TrainingResult> {
  const { out, config, model, trainer } = context;
  const { training } = config;
  const { steps, batch_size, seed } = training;
  const log = await MetricsLog.open(runFile(out, 'metrics'), start.step > 0 ? start.step : undefined);
  const lastLogged = start.step > 0 ? (await readMetrics(log.path)).at(-1) : undefined;
  const configHash = runHash(config);

  let at = start;
  let loss = typeof lastLogged?.loss === 'number' ? lastLogged.loss : Number.NaN;
  let valid = { val_loss: Number.NaN, val_loss_marginal: Number.NaN };
  const advice = `try a lower --learning-rate than ${training.learning_rate}`;
  const save = async (): Promise<string> => {
    if (!isFiniteState(trainer.state)) {
      throw new LacunaError(
        `step ${at.step}: the parameters are not finite after it, so no checkpoint of it was written; ${advice}`,
      );
    }
    log.flush();
    const { layout, state } = trainer;
    const tensors = {
      ...trainer.parameters,
      ...addPrefix(FIRST_MOMENT, parameterViews(layout, state.firstMoment)),
      ...addPrefix(SECOND_MOMENT, parameterViews(layout, state.secondMoment)),
    };
    const metadata = { epoch: at.epoch, position: at.position, config_hash: configHash, version };
    return saveCheckpoint(out, { step: at.step, tensors, metadata });
  };

  try {
    const started = performance.now();
    // Milliseconds of the steps since the last logged line, validation and checkpoints left out.
    let window = { steps: 0, total: 0, waited: 0 };
    const batches = batchesFrom(context, start);
    while (at.step < steps && !signal?.aborted) {
      const begun = performance.now();
      const next = await batches.next();
      if (next.done) break;
      const { block, plan, epoch, position } = next.value;
      const batch = packBatch(block, plan.records, batch_size, plan.tokens);
      const feeds = batchFeeds(model, batch, {
        seed,
        purpose: 'training',
        step: at.step,
        progress: at.step / steps,
      });
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
      const learningRate = learningRateAt(at.step, steps, training.warmup_steps, training.learning_rate);
      at = { step: at.step + 1, epoch, position };
      await trainer.update(at.step, learningRate, gradient.norm);
      window = {
        steps: window.steps + 1,
        total: window.total + performance.now() - begun,
        waited: window.waited + waited,
      };

      const last = at.step === steps;
      const validates = at.step % training.valid_steps === 0 || last;
      if (validates) {
        valid = await validate(context);
        onEvent({ type: 'valid', step: at.step, steps, epoch, ...valid });
      }
      if (at.step % training.log_steps === 0 || validates) {
        const seconds = (performance.now() - started) / 1000;
        const line = { step: at.step, epoch, loss, lr: learningRate, gradient_norm: gradient.norm };
        const speed = {
          samples_per_second: (1000 * batch_size * window.steps) / window.total,
          data_wait: window.waited / window.total,
          peak_memory_mib: peakMemory(),
        };
        log.append({ ...line, ...(validates && valid), ...speed, seconds });
        onEvent({
          type: 'step',
          steps,
          ...line,
          ...(Number.isFinite(valid.val_loss) && valid),
          ...speed,
          seconds_left: (seconds / (at.step - start.step)) * (steps - at.step),
        });
        window = { steps: 0, total: 0, waited: 0 };
      }
      if (at.step % training.checkpoint_steps === 0 && !last) await save();
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
