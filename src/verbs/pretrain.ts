/**
 * Learning from a file without labels, from the first look at it to the finished run. The main path, top to bottom:
 * open, choose, fit, read the first block, resolve the configuration, then step, validate and checkpoint.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { modelOf, resolveConfig } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { Config, UserConfig } from '../config/schema.js';
import {
  checkTokenizerColumns,
  partition,
  RejectedRecords,
  tokenRejecter,
  trainingBlocks,
} from '../datasets/data.js';
import { fitTokenizer, planSplit, planTokens } from '../datasets/token-plan.js';
import { checkMonitorTarget, readMonitorLabels } from '../datasets/watched-labels.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { unfitLearningRate } from '../learning/adamw.js';
import { marginalPrediction } from '../learning/marginal.js';
import { objectiveOf, restartStep } from '../learning/model.js';
import { monitoredRecords } from '../learning/monitors.js';
import { initializeParameters } from '../learning/parameters.js';
import type { Hooks, ProgressEvent } from '../learning/progress-event.js';
import { recordGroups } from '../learning/record-groups.js';
import { BEGINNING, epochPlans, pretrainingGraphFor } from '../learning/self-supervision.js';
import { Trainer } from '../learning/trainer.js';
import { describeOptions } from '../objectives/index.js';
import { blockLengths, bucketLengths, concatenateBlocks } from '../records/batch.js';
import type { DataSource } from '../records/record-batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { type Checkpoint, latestCheckpoint } from '../runs/checkpoints.js';
import { writeEncoder } from '../runs/exported-files.js';
import { assertNewRun, hasConfig, readRunConfig, readTokenizer, runFile, writeJson } from '../runs/folder.js';
import { configFrom, openOrigin, parametersFrom } from '../runs/origin.js';
import { runHash, runPretraining } from '../runs/recorded-pretraining.js';
import { restoreTrainer } from '../runs/trainer-state.js';
import { openSource } from '../sources/open-source.js';
import { rememberOnce } from '../sources/remember.js';
import type { TokenizerChoice } from '../tokenizers/index.js';

/** What `pretrain` is given. */
export interface PretrainOptions {
  /** A file, or a folder of files that belong together. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  readonly config?: UserConfig;
  /** Go on from the newest checkpoint in `out`. */
  readonly resume?: boolean;
  /** Most values held in memory at once: a file with more is learned from block by block. Resuming needs the same. */
  readonly blockValues?: number;
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
  /** The most memory that the process has had. */
  readonly peak_memory_mib: number;
  readonly checkpoint: string;
  readonly seconds: number;
}

/** 128 MiB, as tokens are 32-bit numbers. */
const BLOCK_VALUES = 1 << 25;

/** Pretrains; see `PretrainOptions`. Throws InputError for bad data or configuration, LacunaError when the run fails. */
export async function pretrain(options: PretrainOptions, hooks: Hooks = {}): Promise<PretrainSummary> {
  const started = performance.now();
  const { data: path, out, resume = false, blockValues = BLOCK_VALUES } = options;
  const asked = parseConfig(options.config ?? {}, 'config');
  const emit = hooks.onEvent ?? (() => {});

  // A run that was killed before its configuration was written has nothing to go on from, and starts anew.
  const stored = resume && (await hasConfig(out)) ? await readRunConfig(out) : undefined;
  if (stored) checkSameConfig(asked, stored, out);
  else await assertNewRun(out, { resume });
  const warn = (message: string) => emit({ type: 'warning', message });
  const origin = stored ? undefined : await openOrigin(asked.training ?? {}, warn);
  const user = origin ? configFrom(asked, origin) : asked;

  const rejected = new RejectedRecords();
  const onBadRecord = stored?.data.on_bad_record ?? user.data?.on_bad_record ?? 'auto';
  const opened = await openSource(path, {
    format: stored?.data.format ?? user.data?.format,
    onBadRecord,
    report: rejected.report,
  });
  // A new run reads it twice before the first step: to fit the tokenizer, and for the tokens.
  const source = stored ? opened : rememberOnce(opened);
  const hash = await hashData(source);
  if (stored && stored.data.hash !== hash) {
    throw new InputError(`${path}: is not the data that the run ${out} learned from (its checksum differs)`);
  }

  const plan = stored || origin ? undefined : await planTokens(source, user);
  if (origin) checkTokenizerColumns(source, origin.tokenizer);
  const target = (stored ?? user).training?.monitor_target;
  const splitColumn = origin
    ? await planSplit(source, user)
    : (plan?.splitColumn ?? stored?.data.split_column);
  const seed = stored?.training.seed ?? user.training?.seed ?? 0;
  const validFraction = stored?.data.valid_fraction ?? user.data?.valid_fraction ?? 0.05;
  const parts = await partition(source, { splitColumn, seed, validFraction, testFraction: 0 });
  if (plan) describeChoice(plan.choice, emit);
  if (origin) {
    emit({
      type: 'info',
      message: `tokenizer and encoder of ${origin.folder}, as step ${origin.step} left it`,
    });
  }
  const tokenizer = plan
    ? await fitTokenizer(source, plan, parts, user.tokenizer)
    : (origin?.tokenizer ?? (await readTokenizer(out)));

  if (target !== undefined) checkMonitorTarget(source, target, tokenizer.columns);

  const { spec } = tokenizer;
  const valuesPerToken = spec.kind === 'continuous' ? spec.channels : 1;
  const streamOptions = {
    source,
    tokenizer,
    parts,
    splitColumn,
    reject: tokenRejecter(source, onBadRecord, rejected, { auto: 'skip' }),
    capacity: Math.floor(blockValues / valuesPerToken),
  };
  const heldOut: TokenBlock[] = [];
  const stream = trainingBlocks(streamOptions, heldOut);
  const first = await stream.next();
  if (first.done) throw new InputError(`${path}: no training record is left to learn from`);
  if (heldOut.length === 0) {
    throw new InputError(
      `${path}: no record was held out for validation; give more records or a larger --valid-fraction (now ${validFraction})`,
    );
  }
  const validation = concatenateBlocks(heldOut);
  const second = await stream.next();
  const inMemory = second.done === true;
  const block = first.value;
  let records = block.count + (second.value?.count ?? 0);
  // Only a duration in epochs asks for the number of all records.
  if (user.training?.epochs !== undefined && !stored) for await (const { count } of stream) records += count;
  await stream.return(undefined);

  const config =
    stored ??
    resolveConfig(
      { ...user, data: { ...user.data, format: source.format as Config['data']['format'] } },
      {
        path,
        hash,
        tokenizer,
        splitColumn,
        records,
        threads: defaultThreads(),
        versions: { node: process.versions.node },
      },
    );
  const model = modelOf(config, spec);
  const { training } = config;
  if (objectiveOf(model).groups && !inMemory) {
    throw new InputError(
      `${path}: ${config.objective.kind} groups all training records before it learns, and these do not fit in memory at once; give fewer records, or choose another objective`,
    );
  }
  const { whole: monitored } = monitoredRecords(validation, model.encoder.width);
  // Opened again, since a bad label is no reason to count its record among those left out.
  const labels =
    target === undefined
      ? undefined
      : await readMonitorLabels(
          await openSource(path, { format: config.data.format, onBadRecord: 'skip' }),
          target,
          monitored.rows,
        );
  const unfit = unfitLearningRate(training.learning_rate);
  if (unfit) emit({ type: 'warning', message: unfit });
  const buckets = bucketsFor(block, validation, spec, inMemory);
  const engine = await nodeEngine({ threads: training.threads });
  const restart = restartStep(model, training.steps);
  const trainer = new Trainer(
    engine,
    {
      build: (tokens) => pretrainingGraphFor(model, training.batch_size, tokens),
      weightDecay: training.weight_decay,
      clipNorm: training.clip_norm,
      recompute: training.recompute,
      restarts: restart !== undefined,
    },
    buckets[0],
  );

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
      const from = origin ?? (await openOrigin(training, warn));
      trainer.begin(from ? parametersFrom(from, model, trainer.layout, fresh) : fresh);
    }
    const groups = await recordGroups(engine, model, block, { seed, signal: hooks.signal });
    if (groups) emit({ type: 'info', message: describeGroups(groups, { training, buckets, groups }, block) });
    if (!stored) {
      await writeJson(runFile(out, 'tokenizer'), tokenizer.toJSON());
      await writeJson(runFile(out, 'config'), config);
    }
    emit({
      type: 'info',
      message: describeRun(config, spec, trainer.layout.length, records, buckets, checkpoint),
    });
    const result = await runPretraining(
      {
        out,
        config,
        model,
        training,
        restart,
        trainer,
        marginal: marginalPrediction(spec, block),
        validation,
        labels,
        buckets,
        groups,
        blocks: inMemory ? () => [block] : () => trainingBlocks(streamOptions),
      },
      checkpoint ? { step: checkpoint.step, ...checkpoint.metadata } : BEGINNING,
      hooks,
    );
    const rejectedSummary = rejected.summary();
    if (rejectedSummary) {
      emit({ type: 'warning', message: `${rejectedSummary}; listed in rejected.jsonl` });
      await writeFileAtomically(runFile(out, 'rejected'), [rejected.jsonLines()]);
    }
    if (!result.interrupted) {
      await writeEncoder(runFile(out, 'encoder'), model, tokenizer, trainer.parameters);
      await writeFileAtomically(runFile(out, 'done'), [new TextEncoder().encode(`${result.step} steps\n`)]);
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

/** Bytes at the start and at the end of a large file that its checksum covers, beside its size. */
const HASHED_BYTES = 64 << 20;

/** A checksum of what was learned from, so that a run is not resumed with other data. */
async function hashData({ files, bytes, format }: DataSource): Promise<string> {
  const hash = createHash('sha256').update(`${format} ${bytes}`);
  const buffer = Buffer.alloc(1 << 20);
  for (const path of files) {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      for (let offset = 0; offset < size; offset += buffer.length) {
        if (offset >= HASHED_BYTES && offset < size - HASHED_BYTES) continue;
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Lists are of columns, whose order says nothing. */
const canonical = (value: unknown) => JSON.stringify(Array.isArray(value) ? [...value].sort() : value);

/** A run keeps its configuration: what is asked for again must be what it has. */
function checkSameConfig(user: UserConfig, stored: Config, out: string): void {
  for (const [section, values] of Object.entries(user)) {
    // A file of several commands' keys has sections that are not this run's.
    if (!(section in stored)) continue;
    for (const [key, asked] of Object.entries(values ?? {})) {
      const kept = (stored as Record<string, Record<string, unknown> | undefined>)[section]?.[key];
      if (canonical(kept) !== canonical(asked)) {
        throw new InputError(
          `${out}: the run has ${section}.${key} = ${JSON.stringify(kept)}, not ${JSON.stringify(asked)}; a resumed run keeps its configuration, so leave the option out or start a new run`,
        );
      }
    }
  }
}

function describeChoice(choice: TokenizerChoice, emit: (event: ProgressEvent) => void): void {
  const unused = choice.unused.map((name) => `${name} (${choice.reasons[name]})`).join(', ');
  emit({
    type: 'info',
    message: `${choice.kind} tokenizer: ${choice.why}${unused && `; not used: ${unused}`}`,
  });
  for (const message of choice.warnings) emit({ type: 'warning', message });
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

/** How many groups there are, and what the first epoch cannot use. */
function describeGroups(
  groups: Int32Array,
  context: Parameters<typeof epochPlans>[0],
  block: TokenBlock,
): string {
  const used = epochPlans(context, block, 0, 0).reduce((sum, { rows }) => sum + rows, 0);
  return `${new Set(groups).size} groups of records; no batch holds two of one group, so that an epoch leaves out ${block.count - used} of ${block.count} records`;
}

function describeRun(
  { encoder, objective, training }: Config,
  spec: TokenSpec,
  parameters: number,
  records: number,
  buckets: readonly number[],
  checkpoint: Checkpoint | undefined,
): string {
  const tokens = buckets.join('/') + (spec.kind === 'discrete' ? ` of ${spec.vocabulary} symbols` : '');
  const start = training.from === undefined ? 'from the start' : `from the parameters of ${training.from}`;
  const from = checkpoint ? `going on from step ${checkpoint.step}` : start;
  return (
    `${objective.kind} on ${records} records, tokens ${tokens}; ${encoder.kind}` +
    `${encoder.kind === 'perceiver' ? ` ${encoder.latents} latents ×` : ''} width ${encoder.width}, ${encoder.layers} layers, ${(parameters / 1e6).toFixed(2)} M parameters; ` +
    `${describeOptions(objective)}, batch ${training.batch_size}, learning rate ${training.learning_rate}, ${training.steps} steps, seed ${training.seed}, ${training.threads} threads; ${from}`
  );
}
