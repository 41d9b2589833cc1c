/**
 * Learning from a file without labels, from the first look at it to the finished run. The main path, top to bottom:
 * open, plan, fit, read the first block, resolve the configuration, then step, validate and checkpoint.
 */
import { basename } from 'node:path';
import { alone, type Ranks } from '../cluster/ranks.js';
import { modelOf } from '../config/defaults.js';
import type { Config, UserConfig } from '../config/schema.js';
import { versionsOn } from '../engine/engine.js';
import { defaultThreads, runtimeVersions } from '../engine/node.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError, LacunaError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { list } from '../files/manifest.js';
import { unfitLearningRate } from '../learning/adamw.js';
import { partSize, refuseChoice } from '../learning/batch-parts.js';
import { marginalPrediction } from '../learning/marginal.js';
import { encoderWork, type ModelConfig, objectiveOf, restartSteps } from '../learning/model.js';
import { monitoredRecords } from '../learning/monitors.js';
import { initializeParameters } from '../learning/parameters.js';
import type { SharedHooks } from '../learning/progress-event.js';
import { recordGroups } from '../learning/record-groups.js';
import { BEGINNING, checkParts, pretrainingGraphFor } from '../learning/self-supervision.js';
import { Trainer } from '../learning/trainer.js';
import { schemaOf } from '../records/cells/schema.js';
import type { DataSource } from '../records/record-batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { latestCheckpoint } from '../runs/checkpoints.js';
import { encoderBytes } from '../runs/encoder-file.js';
import { runFile, writeRunFile, writeRunJson } from '../runs/folder.js';
import { openOrigin, parametersFrom } from '../runs/origin.js';
import { runHash, runPretraining } from '../runs/recorded-pretraining.js';
import { restoreTrainer } from '../runs/trainer-state.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { describeGroups, describeRun } from './describe-run.js';
import { bucketsFor, type Emit, passesOf, readMonitored, readTraining } from './training-data.js';

/** What `pretrain` is given. */
export interface PretrainOptions {
  /** A file, or a folder of files that belong together. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  readonly config?: UserConfig;
  /** Go on from the newest checkpoint in `out`. */
  readonly resume?: boolean;
  /** Stop after this step of the run as the signal would, validated and with a checkpoint: `resume` goes on to the same end. */
  readonly until?: number;
  /** Write what metrics.jsonl has as TensorBoard's event files, too. */
  readonly tensorboard?: boolean;
  /** Most values held in memory at once: a file with more is learned from block by block. Resuming needs the same. */
  readonly blockValues?: number;
  /** Plug-ins that are loaded already, for the run's configuration to name. */
  readonly plugins?: readonly string[];
  /** Of several processes: how many seconds one waits for the others before all are ended; 1,800 by default. */
  readonly rankTimeout?: number;
}

/** What `pretrain` did. */
export interface PretrainSummary {
  readonly run: string;
  /** Stopped by the signal: `checkpoint` is where to go on from. */
  readonly interrupted: boolean;
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly parameters: number;
  /** Records to learn from, at least: of a file that is read block by block those before the first step. And records that could not be read. */
  readonly rows: number;
  readonly rejected: number;
  readonly loss: number;
  readonly val_loss: number;
  /** Where the objective has such a reference. */
  readonly val_loss_marginal?: number;
  /** The most memory that the process has had, where that is known. */
  readonly peak_memory_mib?: number;
  readonly checkpoint: string;
  readonly seconds: number;
}

/** Pretrains; see `PretrainOptions`. Throws InputError for bad data or configuration, LacunaError when the run fails. */
export async function pretrain(options: PretrainOptions, hooks: SharedHooks = {}): Promise<PretrainSummary> {
  const work = () => pretrainInto(options, hooks);
  return hooks.ranks === undefined || hooks.ranks.rank === 0 ? holdFolder(options.out, work) : work();
}

async function pretrainInto(options: PretrainOptions, hooks: SharedHooks): Promise<PretrainSummary> {
  const started = performance.now();
  const { data: path, out, resume = false } = options;
  const { ranks = alone } = hooks;
  // All ranks read, decide and learn alike; one of them writes and tells.
  const writes = ranks.rank === 0;
  const emit = (writes && hooks.onEvent) || (() => {});
  const warn = (message: string) => emit({ type: 'warning', message });
  const read = await readTraining(options, { writes, emit });
  const { stored, source, plan, tokenizer, streamOptions, learned } = read;
  const { block, validation, records, inMemory } = read;
  const { spec } = tokenizer;

  // One configuration for all, also where their machines differ.
  const threads = Math.min(...(await ranks.gather(String(defaultThreads()))).map(Number));
  const config = plan.config({ tokenizer, hash: read.hash, records, threads, versions: runtimeVersions() });
  const { training } = config;
  const features = await featuresOf(training, tokenizer, block);
  const model: ModelConfig = {
    ...modelOf(config, spec),
    ...(features && { features: { dimension: features.dimension, weight: training.feature_weight ?? 1 } }),
  };
  if (features) emit({ type: 'info', message: `predicted of each record, too: ${features.words}` });
  checkParts(model, training, ranks);
  checkObjective(path, model, { training, records, validation, inMemory });
  const rewrite = await rewriterOf(tokenizer, training, stored ? undefined : { source, emit });
  const { monitorTarget } = plan;
  const labels =
    monitorTarget === undefined
      ? undefined
      : await readMonitored(
          source,
          monitorTarget,
          monitoredRecords(validation, model.encoder.width).whole.rows,
        );
  const unfit = unfitLearningRate(training.learning_rate);
  if (unfit) warn(unfit);
  const buckets = bucketsFor(block, validation, spec, inMemory && rewrite === undefined);
  const size = partSize(training.batch_size, ranks);
  refuseChoice('training.device', training.device, ranks);
  const { trainer, engine, written, restarts } = await openTrainer(config, model, {
    size,
    buckets,
    ranks,
    emit,
  });
  try {
    const checkpoint = resume ? await latestCheckpoint(out, warn) : undefined;
    if (checkpoint && checkpoint.metadata.config_hash !== runHash(config)) {
      throw new InputError(
        `${runFile(out, 'config')}: is not the configuration that ${checkpoint.path} was trained with; undo what was changed in it, or start a new run`,
      );
    }
    if (checkpoint) restoreTrainer(trainer, checkpoint);
    else {
      const fresh = initializeParameters(trainer.layout, training.seed);
      // A run may have been killed between its configuration and its first checkpoint.
      const from = plan.start.origin ?? (await openOrigin(training, warn));
      trainer.begin(from ? parametersFrom(from, model, trainer.layout, fresh) : fresh);
    }
    await startTogether(trainer, ranks, runHash(config));
    const { seed } = training;
    const groups = await recordGroups(engine, model, block, { seed, signal: hooks.signal });
    // They follow from a network, so that machines of several kinds may differ in some.
    if (groups) await ranks.broadcast(groups);
    if (groups) emit({ type: 'info', message: describeGroups(groups, { training, buckets, groups }, block) });
    if (!stored && writes) {
      await writeRunJson(out, 'tokenizer', tokenizer.toJSON());
      await writeRunJson(out, 'schema', schemaOf(source));
      await learned?.write(out);
      await writeRunJson(out, 'config', written);
    }
    emit({
      type: 'info',
      message: describeRun(written, spec, trainer.layout.length, read, buckets, checkpoint),
    });
    const before = checkpoint?.metadata.ranks ?? ranks.size;
    if (before !== ranks.size) {
      warn(
        `the checkpoint is of ${describeRanks(before)} and this is ${describeRanks(ranks.size)}: the steps are the same but for rounding`,
      );
    }
    const result = await runPretraining(
      {
        out,
        config,
        until: options.until,
        tensorboard: options.tensorboard,
        ranks,
        model,
        training,
        restarts,
        trainer,
        marginal: marginalPrediction(spec, block),
        validation,
        features,
        labels,
        buckets,
        groups,
        // A run that is killed in a later pass keeps what it learned in the first, as it has read to its end by then.
        blocks:
          inMemory && rewrite === undefined
            ? () => [block]
            : passesOf(streamOptions, rewrite, async () => writes && learned?.write(out)),
      },
      checkpoint ? { step: checkpoint.step, ...checkpoint.metadata } : BEGINNING,
      hooks,
    );
    if (!inMemory && writes) await learned?.write(out);
    for (const message of [read.unassigned.summary(), ...(read.losses?.summaries('learned from') ?? [])])
      if (message) warn(message);
    for (const message of read.source.found?.() ?? []) warn(message);
    const { rejected } = read;
    const rejectedSummary = rejected.summary();
    if (rejectedSummary && writes) {
      warn(`${rejectedSummary}; listed in rejected.jsonl`);
      await writeRunFile(out, 'rejected', [rejected.jsonLines()]);
    }
    if (!result.interrupted && writes) {
      await writeRunFile(out, 'encoder', [encoderBytes(model, tokenizer, trainer.parameters)]);
      await list(out, basename(runFile(out, 'metrics')));
      await writeRunFile(out, 'done', [new TextEncoder().encode(`${result.step} steps\n`)]);
    }
    return {
      run: out,
      ...result,
      steps: training.steps,
      parameters: trainer.layout.length,
      rows: records,
      rejected: rejected.count,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    await trainer.release();
  }
}

/** Throws InputError for records of which the objective cannot learn. */
function checkObjective(
  path: string,
  model: ModelConfig,
  {
    training,
    records,
    validation,
    inMemory,
  }: { training: Config['training']; records: number; validation: TokenBlock; inMemory: boolean },
): void {
  const { kind } = model.objective;
  const { leastRecords = 1, groups } = objectiveOf(model);
  const fewest = Math.min(training.batch_size, records, validation.count);
  if (fewest < leastRecords) {
    throw new InputError(
      `${kind}: compares the records of a batch, so it needs ${leastRecords} of them, and there are ${records} for training, ${validation.count} for validation and batches of ${training.batch_size}; give more records, a larger --batch-size, or choose another objective`,
    );
  }
  if (groups && !inMemory) {
    throw new InputError(
      `${path}: ${kind} groups all training records before it learns, and these do not fit in memory at once; give fewer records, or choose another objective`,
    );
  }
  if (training.randomize_smiles && groups) {
    throw new InputError(
      `training.randomize_smiles: ${kind} groups the training records once, by their first text; leave out --randomize-smiles, or choose another objective`,
    );
  }
}

/** What is predicted of whole records, where that is asked for. */
async function featuresOf({ feature_targets }: Config['training'], tokenizer: Tokenizer, block: TokenBlock) {
  if (feature_targets === undefined) return undefined;
  const { featureTargets } = await import('../features/feature-targets.js');
  return featureTargets(feature_targets, tokenizer, block);
}

/** What writes the records anew in each epoch, where that is asked for; of new data it is told how many can be. */
async function rewriterOf(
  tokenizer: Tokenizer,
  training: Config['training'],
  told?: { source: DataSource; emit: Emit },
) {
  if (!training.randomize_smiles) return undefined;
  const smiles = await import('../datasets/randomized-smiles.js');
  const rewrite = await smiles.smilesRewriter(tokenizer, training.seed);
  if (!told) return rewrite;
  for await (const batch of told.source.read({ columns: tokenizer.columns })) {
    const counted = smiles.describeReadable(
      tokenizer,
      await smiles.countReadable(tokenizer, batch),
      'training',
    );
    told.emit({ type: 'info', message: `of the first texts, ${counted}` });
    break;
  }
  return rewrite;
}

/** The engine and what trains on it, with the configuration as it is written. */
async function openTrainer(
  config: Config,
  model: ModelConfig,
  { size, buckets, ranks, emit }: { size: number; buckets: readonly number[]; ranks: Ranks; emit: Emit },
) {
  const { training } = config;
  const { subnetworks } = training;
  const evolving = subnetworks === undefined ? undefined : await import('../learning/subnetworks.js');
  if (evolving && subnetworks !== undefined) {
    evolving.checkSubnetworks(model, { device: training.device });
    const saved = evolving.savedOperations(model, { subnetworks }, size, buckets[buckets.length - 1]);
    emit({
      type: 'info',
      message: `two thirds of the steps train a part of the network: ${Math.round(100 * saved)} % fewer operations`,
    });
  }
  const engine = await openEngine({
    ...training,
    work: () => encoderWork(model, { batch: size, passes: 3 }),
    report: (message) => emit({ type: 'info', message }),
  });
  const written: Config = {
    ...config,
    training: { ...training, device: engine.device && 'webgpu' },
    versions: versionsOn(engine, config.versions),
  };
  const restarts = restartSteps(model, training.steps);
  const trainerOptions = {
    build: (tokens: number) => pretrainingGraphFor(model, size, tokens, ranks),
    weightDecay: training.weight_decay,
    clipNorm: training.clip_norm,
    recompute: training.recompute,
    restarts: restarts.length > 0,
    ranks,
    ...(evolving &&
      subnetworks !== undefined && {
        substitute: evolving.subnetworksOf(model, { ...training, subnetworks }, size, ranks),
      }),
  };
  const trainer = engine.device
    ? (await import('../learning/trainer-on.js')).trainerOn(engine, trainerOptions, buckets[0])
    : new Trainer(engine, trainerOptions, buckets[0]);
  return { trainer, engine, written, restarts };
}

const describeRanks = (ranks: number): string => (ranks === 1 ? 'one process' : `${ranks} ranks`);

/**
 * Has all ranks begin with the state of rank 0. Throws LacunaError where they do not agree on what is learned, as when they
 * see different files.
 */
async function startTogether({ state }: Trainer, ranks: Ranks, hash: string): Promise<void> {
  const hashes = await ranks.gather(hash);
  const other = hashes.findIndex((one) => one !== hashes[0]);
  if (other !== -1) {
    throw new LacunaError(
      `rank ${other} has another configuration than rank 0, or other data; give all ranks the same files, program and arguments`,
    );
  }
  const { parameters, firstMoment, secondMoment, average, start } = state;
  for (const vector of [parameters, firstMoment, secondMoment, average, start])
    if (vector) await ranks.broadcast(vector);
}
