/** A pretraining run on disk: each step logged, each validation told, checkpoints on the way. */
import { alone } from '../cluster/ranks.js';
import type { Config } from '../config/schema.js';
import { DeviceLost } from '../engine/device-engine.js';
import { peakMemory } from '../engine/node.js';
import { InputError, LacunaError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { collapseSigns, type Monitors, untrainedMonitors } from '../learning/monitors.js';
import type { Hooks } from '../learning/progress-event.js';
import { constantUntil } from '../learning/schedule.js';
import {
  BEGINNING,
  monitor,
  type Position,
  type Pretraining,
  type PretrainingBatch,
  pretrainingSteps,
  type Validation,
  validate,
} from '../learning/self-supervision.js';
import { NonFiniteStep, type Step } from '../learning/steps.js';
import { ChangedData } from '../sources/unchanged.js';
import { version } from '../version.js';
import { checkpointPath, saveCheckpoint } from './checkpoints.js';
import { EventFile } from './event-file.js';
import { runFile } from './folder.js';
import { type Metrics, MetricsLog, readMetrics } from './metrics-log.js';
import { checkSameParameters, isFiniteState, trainerTensors } from './trainer-state.js';

export interface RecordedPretraining extends Pretraining {
  /** Folder of the run. */
  readonly out: string;
  readonly config: Config;
  /** The step after which it stops, the last by default. */
  readonly until?: number;
  /** Whether TensorBoard's event files are written beside metrics.jsonl. */
  readonly tensorboard?: boolean;
}

export interface PretrainingResult {
  readonly interrupted: boolean;
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly val_loss: number;
  /** Where the objective has such a reference. */
  readonly val_loss_marginal?: number;
  readonly peak_memory_mib?: number;
  readonly checkpoint: string;
}

/** What a run is known by in its checkpoints: its configuration, wherever data and plug-ins lie. */
export const runHash = (config: Config): string =>
  hashConfig({
    ...config,
    data: { hash: config.data.hash },
    training: { ...config.training, device: undefined },
    versions: { ...config.versions, adapter: undefined },
    plugins: undefined,
  });

/**
 * Trains to the last step or `until`, or until the signal asks to stop; a checkpoint is left either way. Throws LacunaError where it
 * diverges or a device is lost, with a checkpoint of the last state that can be had.
 */
export async function runPretraining(
  run: RecordedPretraining,
  start: Position = BEGINNING,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<PretrainingResult> {
  const { out, config, trainer } = run;
  const { training } = config;
  const { steps, batch_size } = training;
  const { until = steps, ranks = alone } = run;
  const writes = ranks.rank === 0;
  const resumed = start.step > 0;
  const landmark = constantUntil(training);
  const log = writes
    ? await MetricsLog.open(runFile(out, 'metrics'), resumed ? start.step : undefined)
    : undefined;
  const logged = log && resumed ? await readMetrics(log.path) : [];
  const events =
    writes && run.tensorboard
      ? openEvents(out, resumed ? { step: start.step, logged } : undefined)
      : undefined;
  const append = (line: Metrics) => {
    log?.append(line);
    events?.append(line);
  };
  const lastLogged = logged.at(-1)?.loss;
  const config_hash = runHash(config);
  const advice = `try a lower --learning-rate than ${training.learning_rate}`;

  let at = start;
  // What `trainer.state` is of, as far as it is known to be: it is behind where a device holds the newest.
  let fetched = start;
  let loss = typeof lastLogged === 'number' ? lastLogged : Number.NaN;
  let valid: Validation = { val_loss: Number.NaN };
  let monitors: Monitors | undefined;
  const warned = new Set<string>();
  const write = async ({ step, epoch, position }: Position): Promise<string> => {
    if (log === undefined) return checkpointPath(out, step);
    await log.flush();
    events?.flush();
    const metadata = { epoch, position, config_hash, version, ranks: ranks.size };
    const keep = training.kept_checkpoints;
    return saveCheckpoint(out, { step, tensors: trainerTensors(trainer), metadata, keep, landmark });
  };
  const save = async (): Promise<string> => {
    await trainer.fetchState();
    fetched = at;
    if (!isFiniteState(trainer)) {
      throw new LacunaError(
        `step ${at.step}: the parameters are not finite after it, so no checkpoint of it was written; ${advice}`,
      );
    }
    await checkSameParameters(trainer.state.parameters, at.step, ranks);
    return write(at);
  };
  const diverged = async ({ message, batch }: NonFiniteStep<PretrainingBatch>): Promise<LacunaError> => {
    await trainer.fetchState();
    const kept = isFiniteState(trainer)
      ? `the parameters before it are kept in ${await save()}`
      : 'the last checkpoint is kept';
    // Whoever ends first ends all.
    await ranks.barrier();
    return new LacunaError(
      `${message}; ${kept}. Its batch holds the file rows ${[...batch.fileRows].join(', ')}; ${advice}`,
    );
  };
  const lost = async ({ message, cause }: DeviceLost): Promise<LacunaError> => {
    const kept =
      // Of several ranks the others may still have their devices, and wait for this one.
      ranks.size > 1
        ? 'the last checkpoint is kept'
        : fetched.step > start.step && isFiniteState(trainer)
          ? `what was learned until step ${fetched.step}, the last that was brought back, is kept in ${await write(fetched)}`
          : `nothing was brought back since step ${start.step}`;
    return new LacunaError(`step ${at.step + 1}: ${message}; ${kept}; go on with --resume`, { cause });
  };

  try {
    const started = performance.now();
    if (!resumed) {
      monitors = await monitor(run);
      append({ step: 0, ...monitors });
    }
    const untrained = resumed ? untrainedMonitors(logged) : monitors;
    // Milliseconds of the steps since the last logged line, validation and checkpoints left out.
    let window = { steps: 0, total: 0, waited: 0, summed: 0 };
    const record = async ({ step, norm, learningRate, metrics, milliseconds }: Step<PretrainingBatch>) => {
      const { epoch } = at;
      const { total, waited, summed } = milliseconds;
      window = {
        steps: window.steps + 1,
        total: window.total + total,
        waited: window.waited + waited,
        summed: window.summed + summed,
      };
      const validates = step % training.valid_steps === 0 || step === steps || step === until;
      if (validates) {
        valid = await validate(run);
        monitors = await monitor(run);
        // A monitor looks at the parameters.
        fetched = at;
        onEvent({ type: 'valid', step, steps, epoch, ...valid, ...monitors });
        const signs = step >= training.warmup_steps ? collapseSigns(monitors, config, untrained) : [];
        for (const [name, sign] of signs) {
          if (!warned.has(name)) onEvent({ type: 'warning', message: `step ${step}: ${sign}` });
          warned.add(name);
        }
      }
      if (step % training.log_steps !== 0 && !validates) return;
      const seconds = (performance.now() - started) / 1000;
      const line = { step, epoch, loss, lr: learningRate, gradient_norm: norm };
      const speed = {
        samples_per_second: (1000 * batch_size * window.steps) / window.total,
        data_wait: window.waited / window.total,
        ...(ranks.size > 1 && { sum_wait: window.summed / window.total }),
        peak_memory_mib: peakMemory(),
      };
      append({ ...line, ...metrics, ...(validates && { ...valid, ...monitors }), ...speed, seconds });
      onEvent({
        type: 'step',
        steps,
        ...line,
        ...(Number.isFinite(valid.val_loss) && { ...valid, ...monitors }),
        ...speed,
        seconds_left: (seconds / (step - start.step)) * (steps - step),
      });
      window = { steps: 0, total: 0, waited: 0, summed: 0 };
    };

    const taken = start.step < until ? pretrainingSteps(run, start, signal) : [];
    for await (const step of taken) {
      loss = step.loss;
      at = { step: step.step, epoch: step.batch.epoch, position: step.batch.position };
      await record(step);
      if (at.step === until) break;
      const due = at.step % training.checkpoint_steps === 0 || at.step === landmark;
      if (due && at.step < steps) await save();
    }
    const checkpoint = await save();
    if (!Number.isFinite(valid.val_loss)) valid = await validate(run);
    return {
      interrupted: at.step < steps,
      step: at.step,
      epoch: at.epoch,
      loss,
      ...valid,
      peak_memory_mib: peakMemory(),
      checkpoint,
    };
  } catch (error) {
    if (error instanceof NonFiniteStep) throw await diverged(error);
    if (error instanceof ChangedData) {
      // Of several ranks the others may not have come to it.
      const kept =
        ranks.size === 1 && at.step > start.step
          ? `; what was learned before is kept in ${await save()}`
          : '';
      throw new InputError(`step ${at.step + 1}: ${error.message}${kept}`, { cause: error });
    }
    throw error instanceof DeviceLost ? await lost(error) : error;
  } finally {
    log?.dispose();
    events?.dispose();
  }
}

/** The event file of a run, which goes on from what was logged; one that has none yet gets that, too. */
function openEvents(
  out: string,
  resumed: { readonly step: number; readonly logged: readonly Metrics[] } | undefined,
): EventFile {
  const isFirst = !EventFile.isIn(out);
  const events = new EventFile(out, isFirst ? undefined : resumed?.step);
  if (isFirst) for (const line of resumed?.logged ?? []) events.append(line);
  return events;
}
