/**
 * The verb `fit`: simple models on the records' own features, the same on an encoder's embeddings beside them, the encoder
 * trained on the labels, and ensembles, all under one seal. Validation chooses; the test part is scored once for each row.
 */
import { join } from 'node:path';
import { HELD_OUT, resolveFinetuning } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { FitOptions, UserConfig } from '../config/schema.js';
import { fitSource } from '../datasets/token-plan.js';
import { defaultThreads, type Engine, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { featureSetsFor } from '../features/index.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import {
  type Attempt,
  type FeatureMatrix,
  type FitData,
  joinFeatures,
  onFeatures,
  trainedEncoder,
} from '../fit/attempts.js';
import { type Fold, groupFolds } from '../fit/folds.js';
import { learnersFor } from '../fit/learners.js';
import { EMBEDDING, saveFit } from '../fit/saved-fit.js';
import { type Difference, type FitRow, type Fitted, fitFolds, select } from '../fit/select.js';
import type { Hooks } from '../learning/progress-event.js';
import { takeRecords } from '../records/batch.js';
import { schemaOf } from '../records/cells/schema.js';
import { assertNewRun, openRun, type Run } from '../runs/folder.js';
import { describeParts, type Scores } from '../runs/scores.js';
import { chooseMetric, metrics } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { checkDefined } from '../scoring/undefined-scores.js';
import { inputFiles } from '../sources/data-files.js';
import { stepReporter } from './finetune.js';
import {
  describeRecords,
  type LabelledFile,
  type RecordReading,
  readingOf,
  readLabelledFile,
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
  /** Folder of a pretrained run, whose encoder is tried beside the simple models. */
  readonly run?: string;
  /** Its section `fit`, and for `pretrain` those of a pretraining. */
  readonly config?: UserConfig;
}

/** The table of a fit, what was chosen, and what the representation brought. */
export interface FitSummary {
  readonly task: string;
  readonly targets: readonly string[];
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly split: Scores['split'];
  /** How many models each row has: one for each fold. */
  readonly folds: number;
  readonly rows: readonly FitRow[];
  /** The single simple model that validation prefers. */
  readonly simple: string;
  /** What validation prefers of all: the model that was kept. */
  readonly chosen: string;
  readonly differences: readonly Difference[];
  /** Pretraining here, embedding, and all that used either. */
  readonly representationSeconds: number;
  readonly seconds: number;
  /** Folder of the model. */
  readonly model: string;
}

/** Up to so many records to learn from and choose by are parted into folds; of more, the validation part is enough. */
const FEW_RECORDS = 5000;
const FOLDS = 5;

/** Fits, chooses, scores and writes a model that `predict` can use. Throws InputError for data or options that do not fit. */
export async function fit(options: FitVerbOptions, hooks: Hooks = {}): Promise<FitSummary> {
  const started = performance.now();
  const { data, targets, out } = options;
  const { onEvent = () => {} } = hooks;
  const config = parseConfig(options.config ?? {}, 'config');
  const wishes = config.fit ?? {};
  if (wishes.pretrain && options.run !== undefined) {
    throw new InputError('fit: an encoder is given and another one asked for; leave out --run or --pretrain');
  }
  await assertNewRun(out);
  await refuseOverwriteFolder(await inputFiles(data, wishes.format), out);
  const warn = (message: string) => onEvent({ type: 'warning', message });
  tellUnread(config, options.run, warn);
  const fitted = options.run === undefined ? await fittedReading(options, config, warn) : undefined;
  const folder = fitted && wishes.pretrain ? await pretrainHere(options, config, fitted, hooks) : options.run;
  const pretraining = (performance.now() - started) / 1000;
  const run = folder === undefined ? undefined : await openRun(folder, warn);
  const reading = run ? readingOf([run]) : fitted!;
  const textColumn = reading.tokenizer.kind === 'sequence' ? reading.tokenizer.columns[0] : undefined;
  const file = await readLabelledFile(reading, data, targets, wishes, { textColumn });
  const { labelled, learned } = file;
  const { spec } = labelled;
  if (spec.task === 'per-token') {
    throw new InputError(
      `${data}: ${spec.reason}, and fit has one prediction for each record; use finetune, or name another --task`,
    );
  }
  const metric = chooseMetric(spec.task, wishes.metric);
  const defined = checkDefined(labelled, metric);
  for (const message of [...file.warnings, ...defined.notes]) warn(message);
  const engine = await nodeEngine({ threads: config.training?.threads ?? defaultThreads() });
  const { data: parts, texts } = await developmentOf(file, { metric, engine, wishes });
  onEvent({
    type: 'info',
    message: `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}; ${describeFolds(parts.folds)}`,
  });

  const { attempts, features } = await attemptsFor(parts, { texts, run, reading, wishes }, hooks);
  const results: Fitted[] = [];
  for (const [at, attempt] of attempts.entries()) {
    hooks.signal?.throwIfAborted();
    const made = await fitFolds(attempt, parts);
    results.push(made);
    onEvent({
      type: 'info',
      message: `${at + 1} of ${attempts.length}: ${attempt.name}, ${made.seconds.toFixed(1)} s`,
    });
  }
  const selection = select(results, parts);
  await saveFit(out, {
    spec,
    metric,
    tokenizer: reading.tokenizer,
    schema: reading.schema,
    run,
    features,
    selection,
    data: { path: data, ...readingKeysOf(wishes) },
  });
  return {
    task: spec.task,
    targets: spec.columns,
    metric,
    higherIsBetter: metrics[metric].higherIsBetter,
    split: describeParts(labelled, learned),
    folds: parts.folds.length,
    rows: selection.rows,
    simple: selection.simple,
    chosen: selection.chosen,
    differences: selection.differences,
    representationSeconds:
      pretraining +
      results.reduce((sum, { representation, seconds }) => sum + (representation ? seconds : 0), 0),
    seconds: (performance.now() - started) / 1000,
    model: out,
  };
}

/**
 * Says what is asked for and not done, as a file of keys may be another command's, too. Throws InputError where what is
 * asked for contradicts the run.
 */
function tellUnread(
  { fit: wishes = {}, tokenizer, encoder, objective, training }: UserConfig,
  run: string | undefined,
  warn: (message: string) => void,
): void {
  const given = (values: object = {}) => Object.keys(values).length > 0;
  const { threads: _, ...pretraining } = training ?? {};
  if (!wishes.pretrain && (given(encoder) || given(objective) || given(pretraining)))
    warn(
      'the keys of encoder, objective and training are not used, since nothing is pretrained; add --pretrain',
    );
  if (run !== undefined && (wishes.columns || wishes.ignore || given(tokenizer))) {
    throw new InputError(
      `fit: the run ${run} has its columns and its tokenizer; leave out --columns, --ignore and the section tokenizer, or leave out --run`,
    );
  }
}

/** What is tried, simplest first, and what each set of features was fitted to, by its name. */
async function attemptsFor(
  data: FitData,
  {
    texts,
    run,
    reading,
    wishes,
  }: {
    readonly texts: Texts;
    readonly run?: Run;
    readonly reading: RecordReading;
    readonly wishes: FitOptions;
  },
  hooks: Hooks,
): Promise<{ attempts: Attempt[]; features: Record<string, unknown> }> {
  const records = { development: data.development.records, test: data.test.records };
  const attempts: Attempt[] = [];
  const matrices: FeatureMatrix[] = [];
  const features: Record<string, unknown> = {};
  const raw = (part: 'development' | 'test') => ({
    spec: reading.tokenizer.spec,
    block: records[part],
    texts: texts[part],
  });
  for (const set of await featureSetsFor(raw('development'))) {
    const state = await set.fit(raw('development'));
    features[set.name] = state;
    matrices.push({
      names: [set.name],
      dimension: state.dimension,
      development: await set.of(raw('development'), state),
      test: await set.of(raw('test'), state),
    });
  }
  matrices.forEach((matrix, i) => {
    attempts.push(...simpleAttempts(matrix, data, { representation: false, plainest: i === 0 }));
  });
  if (run) {
    const embedding = await embeddingsOf(run, data.engine, records, hooks.signal);
    const learned = { representation: true, plainest: false };
    attempts.push(...simpleAttempts(embedding, data, learned));
    // The plainest features and the richest.
    for (const matrix of new Set([matrices[0], matrices[matrices.length - 1]]))
      attempts.push(...simpleAttempts(joinFeatures([embedding, matrix]), data, learned));
    if (wishes.trained_encoder ?? true) {
      attempts.push(
        trainedEncoder('encoder trained on the labels', data, {
          model: run.model,
          start: run,
          settingsFor: (count) => resolveFinetuning({}, count),
          signal: hooks.signal,
          onStep: ({ steps, batchSize }) =>
            stepReporter(hooks, { steps, batchSize, total: steps * data.folds.length }),
        }),
      );
    }
  }
  return { attempts, features };
}

/** An encoder that learns from the file's own records by the same columns, the test records left out. */
async function pretrainHere(
  { data, out }: FitVerbOptions,
  { fit: wishes = {}, ...config }: UserConfig,
  { tokenizer: { kind, columns } }: RecordReading,
  hooks: Hooks,
): Promise<string> {
  if (wishes.split === 'scaffold') {
    throw new InputError(
      'fit: --pretrain draws its test records one by one, and --split scaffold does not, so test molecules would be learned from; pretrain on another file and name its run with --run',
    );
  }
  const folder = join(out, 'pretrained');
  const { split_column, validation_column } = wishes;
  const { interrupted } = await pretrain(
    {
      data,
      out: folder,
      config: {
        ...config,
        tokenizer: { ...config.tokenizer, kind },
        data: {
          ...readingKeysOf(wishes),
          columns: [...columns],
          ...(wishes.split === 'random' && { split: 'random' }),
          ...(split_column !== undefined && { split_column }),
          ...(validation_column !== undefined && { validation_column }),
          valid_fraction: wishes.valid_fraction ?? HELD_OUT.valid,
          test_fraction: wishes.test_fraction ?? HELD_OUT.test,
        },
      },
    },
    hooks,
  );
  if (interrupted) hooks.signal?.throwIfAborted();
  return folder;
}

/** The keys of a section that say how a file is read. */
function readingKeysOf(wishes: FitOptions): Partial<NonNullable<UserConfig['data']>> {
  const { format, delimiter, quote, header, encoding, decimal, missing, on_bad_record, on_unknown } = wishes;
  const keys = { format, delimiter, quote, header, encoding, decimal, missing, on_bad_record, on_unknown };
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
}

/** Without a run: the tokenizer that suits the file, fitted on its training records, targets left out. */
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

interface Texts {
  readonly development?: readonly string[];
  readonly test?: readonly string[];
}

/** Training and validation records together, the test records under their seal, and the folds. */
async function developmentOf(
  { labelled }: LabelledFile,
  { metric, engine, wishes }: Pick<FitData, 'metric' | 'engine'> & { wishes: FitOptions },
): Promise<{ data: FitData; texts: Texts }> {
  const { spec, members, hashes } = labelled;
  const { train, valid, test } = splitParts(labelled);
  const own = [...members.train, ...members.valid];
  const textsOf = (records: ArrayLike<number>) =>
    labelled.texts && Array.from(records, (record) => labelled.texts![record]);
  const texts = { development: textsOf(own), test: textsOf(members.test) };
  const labels = new Float64Array(train.labels.length + valid.labels.length);
  labels.set(train.labels);
  labels.set(valid.labels, train.labels.length);
  const folds = wishes.folds ?? (own.length <= FEW_RECORDS ? FOLDS : 1);
  const byScaffold = wishes.split === 'scaffold' || /scaffold/i.test(labelled.splitBy);
  const groups = own.map((record) => `${hashes.low[record]}:${hashes.high[record]}`);
  if (byScaffold && folds > 1 && texts.development !== undefined) {
    const { scaffoldsOf } = await import('../molecules/scaffold.js');
    const scaffolds = await scaffoldsOf(texts.development);
    // Molecules without a ring have no scaffold in common.
    scaffolds.forEach((scaffold, i) => {
      if (scaffold) groups[i] = scaffold;
    });
  }
  return {
    data: {
      spec,
      metric,
      engine,
      development: { records: takeRecords(labelled.block, own), labels },
      test,
      folds:
        folds === 1
          ? [
              {
                train: Int32Array.from(members.train.keys()),
                held: Int32Array.from(members.valid, (_, i) => members.train.length + i),
              },
            ]
          : groupFolds(groups, folds, 0),
    },
    texts,
  };
}

const describeFolds = (folds: readonly Fold[]): string =>
  folds.length === 1
    ? 'chosen by the validation part'
    : `chosen by ${folds.length} folds of the training and validation records`;

/** Every simple model on one set of features. */
const simpleAttempts = (
  features: FeatureMatrix,
  data: FitData,
  { representation, plainest }: { readonly representation: boolean; readonly plainest: boolean },
): Attempt[] =>
  learnersFor(features.dimension, plainest).map(([name, probe]) =>
    onFeatures(`${name} on ${features.names.join(' + ')}`, data, features, { probe, representation }),
  );

async function embeddingsOf(
  run: Run,
  engine: Engine,
  { development, test }: Readonly<Record<'development' | 'test', FitData['development']['records']>>,
  signal?: AbortSignal,
): Promise<FeatureMatrix> {
  const embedder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, run.folder));
  try {
    return {
      names: [EMBEDDING],
      dimension: embedder.width,
      development: await embedder.embed(development, signal),
      test: await embedder.embed(test, signal),
    };
  } finally {
    await embedder.release();
  }
}
