/**
 * Learning from a file without labels, from the first look at it to the finished run. The main path, top to bottom:
 * open, plan, fit, read the first block, resolve the configuration, then step, validate and checkpoint.
 */
import { basename } from 'node:path';
import { alone, type Ranks } from '../cluster/ranks.js';
import { modelOf } from '../config/defaults.js';
import { mergeConfigs, parseConfig } from '../config/parse.js';
import type { Config, UserConfig } from '../config/schema.js';
import { partition } from '../datasets/partition.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { fitTokenizer, PLANNING_RECORDS } from '../datasets/token-plan.js';
import { type TokenStreamOptions, trainingBlocks } from '../datasets/token-stream.js';
import { UnassignedRecords } from '../datasets/unassigned-records.js';
import { UnknownValues } from '../datasets/unknown-values.js';
import { checkMonitorTarget, readMonitorLabels } from '../datasets/watched-labels.js';
import { versionsOn } from '../engine/engine.js';
import { defaultThreads, runtimeVersions } from '../engine/node.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError, LacunaError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { list } from '../files/manifest.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { unfitLearningRate } from '../learning/adamw.js';
import { partSize, refuseChoice } from '../learning/batch-parts.js';
import { marginalPrediction } from '../learning/marginal.js';
import { encoderWork, objectiveOf, restartStep } from '../learning/model.js';
import { monitoredRecords } from '../learning/monitors.js';
import { initializeParameters } from '../learning/parameters.js';
import type { SharedHooks } from '../learning/progress-event.js';
import { recordGroups } from '../learning/record-groups.js';
import { BEGINNING, checkParts, pretrainingGraphFor } from '../learning/self-supervision.js';
import { Trainer } from '../learning/trainer.js';
import { blockLengths, bucketLengths, concatenateBlocks, firstRecords } from '../records/batch.js';
import { schemaOf } from '../records/cells/schema.js';
import { profileSource } from '../records/profile.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { latestCheckpoint } from '../runs/checkpoints.js';
import { encoderBytes } from '../runs/encoder-file.js';
import { assertNewRun, hasConfig, runFile, writeRunFile, writeRunJson } from '../runs/folder.js';
import { LearnedRecordsWriter, readLearnedRecords } from '../runs/learned-records.js';
import { openOrigin, parametersFrom } from '../runs/origin.js';
import { runHash, runPretraining } from '../runs/recorded-pretraining.js';
import { restoreTrainer } from '../runs/trainer-state.js';
import { checksum } from '../sources/checksum.js';
import { inputFiles } from '../sources/data-files.js';
import { rememberSmall } from '../sources/remember.js';
import { unchangedBlocks } from '../sources/unchanged.js';
import { describeGroups, describeRun } from './describe-run.js';
import { openData } from './open-data.js';
import { planRun, type RunPlan, readStored } from './plan-run.js';

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
  /** Records learned from, and records that could not be read. */
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

/** 128 MiB, as values are 32-bit numbers. */
const BLOCK_VALUES = 1 << 25;
/** A block of a file that does not fit is so much less: about three of them are in memory while one follows another. */
const BLOCKS_AT_ONCE = 2;
/** Of such a file, the records that tell how long its records are and what a guess without a model is worth. */
const SAMPLE_RECORDS = 1 << 16;

/** Pretrains; see `PretrainOptions`. Throws InputError for bad data or configuration, LacunaError when the run fails. */
export async function pretrain(options: PretrainOptions, hooks: SharedHooks = {}): Promise<PretrainSummary> {
  const work = () => pretrainInto(options, hooks);
  return hooks.ranks === undefined || hooks.ranks.rank === 0 ? holdFolder(options.out, work) : work();
}

async function pretrainInto(options: PretrainOptions, hooks: SharedHooks): Promise<PretrainSummary> {
  const started = performance.now();
  const { data: path, out, resume = false, blockValues = BLOCK_VALUES } = options;
  const asked = mergeConfigs(parseConfig(options.config ?? {}, 'config'), {
    plugins: options.plugins?.slice() ?? [],
  });
  const { ranks = alone } = hooks;
  // All ranks read, decide and learn alike; one of them writes and tells.
  const writes = ranks.rank === 0;
  const emit = (writes && hooks.onEvent) || (() => {});
  const warn = (message: string) => emit({ type: 'warning', message });

  // A run that was killed before its configuration was written has nothing to go on from, and starts anew.
  const stored = resume && (await hasConfig(out)) ? await readStored(out) : undefined;
  if (!stored && writes) await assertNewRun(out, { resume });
  const origin = stored ? undefined : await openOrigin(asked.training ?? {}, warn);
  const rejected = new RejectedRecords();
  const reading = stored?.config.data ?? asked.data ?? {};
  const { on_bad_record: onBadRecord = 'auto', on_unknown: onUnknown } = reading;
  await refuseOverwriteFolder(await inputFiles(path, reading.format), out);
  const schema = stored ? stored.schema : origin?.schema;
  const source = rememberSmall(await openData(path, reading, { schema, report: rejected.report }));
  const hash = await checksum(source);
  if (stored && stored.config.data.hash !== hash) {
    throw new InputError(`${path}: is not the data that the run ${out} learned from (its checksum differs)`);
  }

  const profile = stored ? undefined : await profileSource(source, { rows: PLANNING_RECORDS });
  if (profile?.rowsRead === 0)
    throw new InputError(`${path}: no record could be read; ${rejected.summary()}`);
  const plan = planRun({ asked, stored, origin, source, profile });
  if (!stored && source.dialect) emit({ type: 'info', message: `${source.format}: ${source.dialect}` });
  if (!stored) for (const note of source.notes ?? []) warn(note);
  for (const message of plan.messages) emit(message);
  const { tokenizer, parts } = await tokenizerOf(plan, source);
  const { monitorTarget } = plan;
  if (monitorTarget !== undefined) checkMonitorTarget(source, monitorTarget, tokenizer.columns);

  const { spec } = tokenizer;
  // A cell of a table is an id and a number.
  const valuesPerToken = spec.kind === 'continuous' ? spec.channels : spec.kind === 'fields' ? 2 : 1;
  const most = Math.floor(blockValues / valuesPerToken);
  const earlier = origin?.folder ?? stored?.folder;
  const before = earlier === undefined ? undefined : await readLearnedRecords(earlier);
  // What a run goes on from may not tell what it learned from; then this one cannot either.
  const learned =
    writes && (earlier === undefined || before !== undefined) ? new LearnedRecordsWriter(before) : undefined;
  const unassigned = new UnassignedRecords(plan.rule.column);
  // A tokenizer that is fitted on this file knows it; that of another run may not.
  const unknown = origin && new UnknownValues(path, onUnknown, onBadRecord);
  const streamOptions: TokenStreamOptions = {
    source,
    tokenizer,
    rule: plan.rule,
    parts,
    reject: tokenRejecter(source, onBadRecord, rejected, { auto: 'skip' }),
    capacity: Math.floor(most / BLOCKS_AT_ONCE),
    onLearned: learned?.add,
    onParts: (batch, parts) => unassigned.add(batch, parts),
    encoding: unknown?.encoding,
  };
  const { block, validation, records, inMemory } = await firstBlock(streamOptions, plan, most);

  // One configuration for all, also where their machines differ.
  const threads = Math.min(...(await ranks.gather(String(defaultThreads()))).map(Number));
  const config = plan.config({ tokenizer, hash, records, threads, versions: runtimeVersions() });
  const model = modelOf(config, spec);
  const { training } = config;
  checkParts(model, training, ranks);
  const { leastRecords = 1 } = objectiveOf(model);
  const fewest = Math.min(training.batch_size, records, validation.count);
  if (fewest < leastRecords) {
    throw new InputError(
      `${config.objective.kind}: compares the records of a batch, so it needs ${leastRecords} of them, and there are ${records} for training, ${validation.count} for validation and batches of ${training.batch_size}; give more records, a larger --batch-size, or choose another objective`,
    );
  }
  if (objectiveOf(model).groups && !inMemory) {
    throw new InputError(
      `${path}: ${config.objective.kind} groups all training records before it learns, and these do not fit in memory at once; give fewer records, or choose another objective`,
    );
  }
  if (training.randomize_smiles && objectiveOf(model).groups) {
    throw new InputError(
      `training.randomize_smiles: ${config.objective.kind} groups the training records once, by their first text; leave out --randomize-smiles, or choose another objective`,
    );
  }
  const smiles = training.randomize_smiles ? await import('../datasets/randomized-smiles.js') : undefined;
  const rewrite = await smiles?.smilesRewriter(tokenizer, training.seed);
  if (smiles && !stored) {
    for await (const batch of source.read({ columns: tokenizer.columns })) {
      const counted = await smiles.countReadable(tokenizer, batch);
      emit({
        type: 'info',
        message: `of the first texts, ${smiles.describeReadable(tokenizer, counted, 'training')}`,
      });
      break;
    }
  }
  // Opened again, since a bad label is no reason to count its record among those left out.
  const labels =
    monitorTarget === undefined
      ? undefined
      : await readMonitorLabels(
          { ...source, read: (wanted) => source.read({ ...wanted, reject: () => {} }) },
          monitorTarget,
          monitoredRecords(validation, model.encoder.width).whole.rows,
        );
  const unfit = unfitLearningRate(training.learning_rate);
  if (unfit) warn(unfit);
  const buckets = bucketsFor(block, validation, spec, inMemory && rewrite === undefined);
  const size = partSize(training.batch_size, ranks);
  refuseChoice('training.device', training.device, ranks);
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
  const restart = restartStep(model, training.steps);
  const trainerOptions = {
    build: (tokens: number) => pretrainingGraphFor(model, size, tokens, ranks),
    weightDecay: training.weight_decay,
    clipNorm: training.clip_norm,
    recompute: training.recompute,
    restarts: restart !== undefined,
    ranks,
    ...(evolving &&
      subnetworks !== undefined && {
        substitute: evolving.subnetworksOf(model, { ...training, subnetworks }, size, ranks),
      }),
  };
  const trainer = engine.device
    ? (await import('../learning/trainer-on.js')).trainerOn(engine, trainerOptions, buckets[0])
    : new Trainer(engine, trainerOptions, buckets[0]);

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
      message: describeRun(written, spec, trainer.layout.length, records, buckets, checkpoint),
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
        restart,
        trainer,
        marginal: marginalPrediction(spec, block),
        validation,
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
    for (const message of [unassigned.summary(), unknown?.summary('learned from')])
      if (message) warn(message);
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

/** The tokenizer of a plan, fitted where it has to be, and the part of each record. */
async function tokenizerOf({ tokenizer, rule }: RunPlan, source: DataSource) {
  if ('choice' in tokenizer) return fitTokenizer(source, tokenizer.choice, rule, tokenizer.options);
  return { tokenizer: tokenizer.ready, parts: await partition(source, rule) };
}

/** Gives the memory of blocks that nobody reads again back at once: the programs are compiled before it would be collected. */
function releaseBlocks(blocks: readonly TokenBlock[]): void {
  const { port1, port2 } = new MessageChannel();
  const buffers = blocks.flatMap(({ ids, values }) => [ids, values].flatMap((array) => array?.buffer ?? []));
  port1.postMessage(null, buffers as ArrayBuffer[]);
  port1.close();
  port2.close();
}

/**
 * The first training records and the validation records; all of both, where they are at most `most` values. Of a file that
 * is learned from block by block no more training records stay in memory than tell what the others are like.
 */
async function firstBlock(streamOptions: TokenStreamOptions, { rule, counts }: RunPlan, most: number) {
  const { path } = streamOptions.source;
  const heldOut: TokenBlock[] = [];
  let blocks: TokenBlock[] = [];
  let [records, values, inMemory] = [0, 0, true];
  for await (const block of trainingBlocks(streamOptions, heldOut)) {
    records += block.count;
    values += block.offsets[block.count];
    if (inMemory) blocks.push(block);
    if (!inMemory || values <= most) continue;
    inMemory = false;
    const sample = firstRecords(blocks[0], SAMPLE_RECORDS);
    releaseBlocks(blocks);
    blocks = [sample];
    // Only a duration in epochs asks for the number of all records.
    if (!counts) break;
  }
  if (records === 0) throw new InputError(`${path}: no training record is left to learn from`);
  if (heldOut.length === 0) {
    throw new InputError(
      `${path}: no record was held out for validation; give more records or a larger --valid-fraction (now ${rule.heldOut.valid})`,
    );
  }
  return { block: concatenateBlocks(blocks), validation: concatenateBlocks(heldOut), records, inMemory };
}

/**
 * The blocks of each pass; whose records they are is told in the first, at the end of which `onPassed` is waited for. Those
 * of later passes have to be the same, unless they are rewritten.
 */
function passesOf(
  { onLearned, ...options }: TokenStreamOptions,
  rewrite: ((batch: RecordBatch, epoch: number) => RecordBatch) | undefined,
  onPassed: () => Promise<unknown>,
): (epoch: number) => AsyncGenerator<TokenBlock> {
  const sums: number[] = [];
  const blocks = (epoch: number, more: Partial<TokenStreamOptions> = {}) => {
    const stream = { ...options, ...more };
    return rewrite
      ? trainingBlocks({ ...stream, rewrite: (batch: RecordBatch) => rewrite(batch, epoch) })
      : unchangedBlocks(options.source.path, trainingBlocks(stream), sums);
  };
  async function* firstPass(epoch: number) {
    yield* blocks(epoch, { onLearned });
    await onPassed();
  }
  let passes = 0;
  return (epoch) => (passes++ === 0 ? firstPass(epoch) : blocks(epoch));
}

/** Batch lengths. A file that is read block by block may hold longer records than its first block. */
function bucketsFor(block: TokenBlock, validation: TokenBlock, spec: TokenSpec, inMemory: boolean): number[] {
  if (spec.kind === 'fields') return [spec.maxTokens];
  const all = new Int32Array(block.count + validation.count);
  all.set(blockLengths(block));
  all.set(blockLengths(validation), block.count);
  const buckets = bucketLengths(all, spec.maxTokens);
  return inMemory || buckets.at(-1) === spec.maxTokens ? buckets : [...buckets, spec.maxTokens];
}
