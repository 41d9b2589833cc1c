/**
 * The verb `fit`: simple models on the records' own features, the same on an encoder's embeddings beside them, the encoder
 * trained on the labels, and ensembles, all under one seal. Validation chooses; the test part is scored once for each row.
 */
import { join } from 'node:path';
import { HELD_OUT, resolveFinetuning } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { FitOptions, UserConfig } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { fitSource } from '../datasets/token-plan.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import type { TrainingSettings } from '../finetuning/labelled-training.js';
import type { Attempt } from '../fit/attempts.js';
import { type FitData, fitDataOf } from '../fit/fit-data.js';
import type { Fold } from '../fit/folds.js';
import { describeLeftOut, type EncoderToTry, encoderModels, simpleModels } from '../fit/models.js';
import { type FittedSplit, saveFit } from '../fit/saved-fit.js';
import { type Fitted, fitFolds, type Selection, select } from '../fit/select.js';
import { encoderWork } from '../learning/model.js';
import type { Hooks } from '../learning/progress-event.js';
import { stepReporter } from '../learning/step-reporter.js';
import { schemaOf } from '../records/cells/schema.js';
import { assertNewRun, hasConfig, holdsFit, openRun, type Run } from '../runs/folder.js';
import { begunWork, type KeptWork, keptWork } from '../runs/kept-work.js';
import { describeParts, type Scores } from '../runs/scores.js';
import { chooseMetric, metrics } from '../scoring/metrics.js';
import { checkDefined, type Definedness, undefinedByPredictions } from '../scoring/undefined-scores.js';
import { checksum } from '../sources/checksum.js';
import { inputFiles } from '../sources/data-files.js';
import { version } from '../version.js';

import {
  describeRecords,
  type RecordReading,
  readingOf,
  readLabelledFile,
  schemaRead,
} from './labelled-file.js';
import { openData } from './open-data.js';
import { pretrain } from './pretrain.js';

/** What `fit` is given. */
export interface FitVerbOptions {
  /** A file with labels. */
  readonly data: string;
  /** The columns to predict. */
  readonly targets: readonly string[];
  /** Folder of the new model. */
  readonly out: string;
  /** Go on with the fit that was stopped in this folder. */
  readonly resume?: boolean;
  /**
   * Folder of a pretrained run, whose encoder is tried beside the simple models; or of several with encoders of one
   * architecture: all are trained on the labels, each for some of the folds, and the first is tried frozen, too.
   */
  readonly run?: string | readonly string[];
  /** Its section `fit`, and for `pretrain` those of a pretraining. */
  readonly config?: UserConfig;
  /** Plug-ins that are loaded already, for the configuration of a pretraining to name. */
  readonly plugins?: readonly string[];
}

/** The table of a fit, what was chosen, and what the representation brought. */
export interface FitSummary extends Omit<Selection, 'parts'> {
  readonly task: string;
  readonly targets: readonly string[];
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly split: Scores['split'];
  /** How many models each row has: one for each fold. */
  readonly folds: number;
  /** Pretraining here, embedding, and all that used either. */
  readonly representationSeconds: number;
  readonly seconds: number;
  /** Folder of the model. */
  readonly model: string;
}

/** Fits, chooses, scores and writes a model that `predict` can use. Throws InputError for data or options that do not fit. */
export async function fit(options: FitVerbOptions, hooks: Hooks = {}): Promise<FitSummary> {
  return holdFolder(options.out, () => fitInto(options, hooks));
}

async function fitInto(options: FitVerbOptions, hooks: Hooks): Promise<FitSummary> {
  const started = performance.now();
  const { data, targets, out } = options;
  const { onEvent = () => {} } = hooks;
  const warn = (message: string) => onEvent({ type: 'warning', message });
  const config = parseConfig(options.config ?? {}, 'config');
  const wishes = config.fit ?? {};
  await checkFolder(options, wishes);
  const { runs, reading } = await runsToTry(options, config, hooks);
  const run: Run | undefined = runs[0];
  const pretraining = (performance.now() - started) / 1000;
  const hash = await checksum(await openData(data, { ...wishes, canonical_smiles: undefined }));
  const kept = await keptWork(out, 'fit', {
    version,
    data: hash,
    targets,
    // The command line has the targets among the wishes, too.
    fit: { ...wishes, target: undefined },
    tokenizer: config.tokenizer,
    runs: runs.map(({ step, config: own }) => ({ step, config: withoutThreads(own) })),
  });
  const textColumn = reading.tokenizer.text?.column;
  const file = await readLabelledFile(reading, data, targets, wishes, { textColumn });
  const { labelled, learned } = file;
  const { spec } = labelled;
  if (spec.task === 'per-token') {
    throw new InputError(
      `${data}: ${spec.reason}, and fit has one prediction for each record; use finetune, or name another --task`,
    );
  }
  const metric = chooseMetric(spec.task, wishes.metric);
  for (const message of file.warnings) warn(message);
  const engine = await openEngine({
    threads: config.training?.threads,
    device: run && config.training?.device,
    work: () => encoderWork(run!.model, { passes: 3 }),
    report: (message) => onEvent({ type: 'info', message }),
  });
  const parts = await fitDataOf(labelled, { metric, engine, folds: wishes.folds });
  if (parts.note) warn(parts.note);
  for (const message of definedIn(parts, labelled).notes) warn(message);
  onEvent({
    type: 'info',
    message: `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}; ${describeFolds(parts.folds)}`,
  });

  const used = wishes.trained_encoder === false ? 1 : parts.folds.length;
  if (runs.length > used)
    warn(
      `${used} of the ${runs.length} runs ${used === 1 ? 'is' : 'are'} used: fine-tuning starts once for each fold, and the first alone is tried frozen`,
    );

  const simple = await simpleModels(parts, reading.tokenizer.spec);
  const embedding = performance.now();
  const encoded =
    run && (await encoderModels(parts, simple.matrices, encoderToTry(runs, parts, wishes, hooks)));
  const preparing = run ? pretraining + (performance.now() - embedding) / 1000 : 0;
  const attempts = [...simple.attempts, ...(encoded?.attempts ?? [])];
  const leftOut = [...simple.leftOut, ...(encoded?.leftOut ?? [])];
  if (simple.note) warn(simple.note);
  if (leftOut.length > 0) warn(describeLeftOut(leftOut));
  await kept.begin();
  const results = await fitAll(attempts, parts, kept, hooks);
  const selection = select(results, parts);
  if (selection.rows.every(({ valid }) => Number.isNaN(valid)))
    warn(
      `${undefinedByPredictions(metric)}, in validation; so nothing was chosen: the first model is kept; choose another --metric`,
    );
  await saveFit(out, {
    spec,
    metric,
    tokenizer: reading.tokenizer,
    schema: schemaRead(reading, wishes),
    run,
    features: simple.states,
    selection,
    data: { path: data, hash, ...readingKeysOf(wishes) },
    split: { ...splitKeysOf(wishes), pretrained_split: reading.pretrainedSplit },
  });
  await kept.remove();
  const { parts: __, ...chosen } = selection;
  return {
    task: spec.task,
    targets: spec.columns,
    metric,
    higherIsBetter: metrics[metric].higherIsBetter,
    split: describeParts(labelled, learned),
    folds: parts.folds.length,
    ...chosen,
    representationSeconds:
      preparing +
      results.reduce((sum, { representation, seconds }) => sum + (representation ? seconds : 0), 0),
    seconds: (performance.now() - started) / 1000,
    model: out,
  };
}

/** Throws InputError for a folder that holds something else than the beginning of this fit, or the data. */
async function checkFolder({ data, out, resume }: FitVerbOptions, { format }: FitOptions): Promise<void> {
  const begun =
    resume &&
    ((await begunWork(out)) || ((await hasConfig(join(out, PRETRAINED))) && !(await holdsFit(out))));
  if (!begun) await assertNewRun(out, { resume });
  await refuseOverwriteFolder(await inputFiles(data, format), out);
}

/** The encoders that are given, or one that is pretrained here, or none; and how the file is read. */
async function runsToTry(
  options: FitVerbOptions,
  config: UserConfig,
  hooks: Hooks,
): Promise<{ runs: Run[]; reading: RecordReading }> {
  const warn = (message: string) => hooks.onEvent?.({ type: 'warning', message });
  const given = [options.run ?? []].flat();
  if (config.fit?.pretrain && given.length > 0) {
    throw new InputError('fit: an encoder is given and another one asked for; leave out --run or --pretrain');
  }
  tellUnread(config, given, warn);
  const own = given.length === 0 ? await fittedReading(options, config, warn) : undefined;
  const folders = own && config.fit?.pretrain ? [await pretrainHere(options, config, own, hooks)] : given;
  const runs: Run[] = [];
  for (const folder of folders) runs.push(await openRun(folder, warn));
  refuseOtherEncoders(runs);
  return { runs, reading: runs.length > 0 ? readingOf(runs) : own! };
}

/** Fits each model on all folds, or takes what was kept of it. */
async function fitAll(
  attempts: readonly Attempt[],
  data: FitData,
  kept: KeptWork,
  { signal, onEvent = () => {} }: Hooks,
): Promise<Fitted[]> {
  const results: Fitted[] = [];
  for (const [at, attempt] of attempts.entries()) {
    if (signal?.aborted) {
      onEvent({ type: 'info', message: `${at} of ${attempts.length} are kept; go on with --resume` });
      signal.throwIfAborted();
    }
    const before = (await kept.read(attempt.name)) as Fitted | undefined;
    const made = before ?? (await fitFolds(attempt, data));
    if (!before) await kept.write(attempt.name, made);
    results.push(made);
    const spent = before ? 'done before' : `${made.seconds.toFixed(1)} s`;
    onEvent({ type: 'info', message: `${at + 1} of ${attempts.length}: ${attempt.name}, ${spent}` });
  }
  return results;
}

/** Of a pretraining, in the folder of the model. */
const PRETRAINED = 'pretrained';

/** A configuration as far as what is learned depends on it. */
const withoutThreads = ({ training: { threads: _, device: __, ...training }, ...config }: Run['config']) => ({
  ...config,
  training,
});

/**
 * Says what is asked for and not done, as a file of keys may be another command's, too. Throws InputError where what is
 * asked for contradicts the run or itself.
 */
function tellUnread(
  { fit: wishes = {}, tokenizer, encoder, objective, training }: UserConfig,
  runs: readonly string[],
  warn: (message: string) => void,
): void {
  const given = (values: object = {}) => Object.keys(values).length > 0;
  const { threads: _, device: __, ...pretraining } = training ?? {};
  if (wishes.pretrain && (wishes.split ?? 'random') !== 'random') {
    throw new InputError(
      `fit: --pretrain draws its test records one by one, equal ones together, and --split ${wishes.split} does not, so test records would be learned from; pretrain on another file and name its run with --run`,
    );
  }
  if (runs.length === 0 && !wishes.pretrain && (training?.device ?? 'cpu') !== 'cpu')
    warn('training.device is not used, since there is no encoder; simple models are computed on the CPU');
  if (!wishes.pretrain && (given(encoder) || given(objective) || given(pretraining)))
    warn(
      'the keys of encoder, objective and training are not used, since nothing is pretrained; add --pretrain',
    );
  if (runs.length > 0 && (wishes.columns || wishes.ignore || given(tokenizer))) {
    throw new InputError(
      `fit: the run ${runs[0]} has its columns and its tokenizer; leave out --columns, --ignore and the section tokenizer, or leave out --run`,
    );
  }
}

/** An encoder that learns from the file's own records by the same columns, the test records left out. */
async function pretrainHere(
  { data, out, plugins }: FitVerbOptions,
  { fit: wishes = {}, ...config }: UserConfig,
  { tokenizer: { kind, columns } }: RecordReading,
  hooks: Hooks,
): Promise<string> {
  const folder = join(out, PRETRAINED);
  const resume = await hasConfig(folder);
  const { split_column, validation_column } = wishes;
  const parts = {
    ...readingKeysOf(wishes),
    columns: [...columns],
    ...(wishes.split === 'random' && { split: 'random' as const }),
    ...(split_column !== undefined && { split_column }),
    ...(validation_column !== undefined && { validation_column }),
    valid_fraction: wishes.valid_fraction ?? HELD_OUT.valid,
    test_fraction: wishes.test_fraction ?? HELD_OUT.test,
  };
  // A resumed run keeps its parts; what is asked for of its model is compared.
  const tokenizer = { ...config.tokenizer, kind };
  const { interrupted } = await pretrain(
    { data, out: folder, resume, plugins, config: { ...config, tokenizer, ...(!resume && { data: parts }) } },
    hooks,
  );
  if (interrupted) hooks.signal?.throwIfAborted();
  return folder;
}

/** The keys of a section that say how a file is read. */
function readingKeysOf(wishes: FitOptions): Partial<NonNullable<UserConfig['data']>> {
  const { format, delimiter, quote, header, encoding, decimal, missing } = wishes;
  const { canonical_smiles, on_bad_record, on_unknown } = wishes;
  const written = { format, delimiter, quote, header, encoding, decimal, missing };
  const keys = { ...written, canonical_smiles, on_bad_record, on_unknown };
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
}

/** The keys of a section that say how its records are parted. */
function splitKeysOf({
  split,
  split_column,
  validation_column,
  valid_fraction,
  test_fraction,
}: FitOptions): FittedSplit {
  return { split, split_column, validation_column, valid_fraction, test_fraction };
}

/**
 * Without a run: the tokenizer that suits the file, targets left out. It is fitted on the training records of a split column or of a
 * random draw; where parts are drawn otherwise some of those are tested, so that it knows their inputs, never their labels.
 */
async function fittedReading(
  { data, targets }: FitVerbOptions,
  { fit: wishes = {}, tokenizer }: UserConfig,
  warn: (message: string) => void,
): Promise<RecordReading> {
  const source = await openData(data, wishes);
  for (const note of source.notes ?? []) warn(note);
  const { split_column, validation_column, split, columns, ignore } = wishes;
  const { choice, tokenizer: fitted } = await fitSource(
    source,
    {
      data: {
        targets,
        columns,
        ignore,
        split_column,
        validation_column,
        ...(split !== undefined && { split: 'random' }),
      },
      tokenizer,
    },
    { valid: wishes.valid_fraction ?? HELD_OUT.valid, test: wishes.test_fraction ?? HELD_OUT.test },
  );
  for (const message of choice.warnings) warn(message);
  return { tokenizer: fitted, schema: schemaOf(source), pretrainedSplit: split_column, folders: [] };
}

/** Throws InputError for runs whose encoders are not of one architecture. */
function refuseOtherEncoders([first, ...others]: readonly Run[]): void {
  for (const { folder, model } of others) {
    if (JSON.stringify(model.encoder) !== JSON.stringify(first.model.encoder)) {
      throw new InputError(
        `${folder}: its encoder is not that of ${first.folder}; give --run encoders of one architecture, as several seeds of one pretraining are`,
      );
    }
  }
}

/** The encoder of a run, frozen and, where nothing else is asked for, trained on the labels; those of other runs only trained. */
function encoderToTry(
  [{ model, tensors, folder }, ...others]: readonly Run[],
  { folds }: FitData,
  { trained_encoder = true }: FitOptions,
  hooks: Hooks,
): EncoderToTry {
  return {
    model,
    tensors,
    folder,
    signal: hooks.signal,
    ...(trained_encoder && {
      trained: {
        others,
        settingsFor: (count: number) => resolveFinetuning({}, count),
        onStep: ({ steps, batchSize }: TrainingSettings & { steps: number }) =>
          stepReporter(hooks, { steps, batchSize, total: steps * folds.length }),
      },
    }),
  };
}

/** Whether the metric is defined where it chooses: on all that the folds hold, or the validation part. Throws InputError where not. */
function definedIn({ folds, metric }: FitData, labelled: LabelledData): Definedness {
  if (folds.length === 1) return checkDefined(labelled, metric);
  const { train, valid, test } = labelled.members;
  const both = Int32Array.from([...train, ...valid]);
  const called = 'the training and validation records';
  return checkDefined({ ...labelled, members: { train: both, valid: both, test } }, metric, {
    names: { train: called, valid: called },
  });
}

const describeFolds = (folds: readonly Fold[]): string =>
  folds.length === 1
    ? 'chosen by the validation part'
    : `chosen by ${folds.length} folds of the training and validation records`;
