/**
 * Fine-tuning: the encoder and a fresh head, trained on labels from a pretrained run and from untrained parameters,
 * with several seeds, splits and numbers of labels. Validation chooses the step whose parameters are kept; test is scored
 * once for each, at the end.
 */

import { basename, join } from 'node:path';
import { alone, type Ranks } from '../cluster/ranks.js';
import { networkSettings, resolveFinetuning } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { describeReadable, type RandomizedSmiles, randomizedSmiles } from '../datasets/randomized-smiles.js';
import { describeShots } from '../datasets/shots.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { encoderNetwork, LabelledTrainer } from '../finetuning/labelled-training.js';
import type { Start } from '../finetuning/train-to-best.js';
import { checkPartSize, partSize, refuseChoice, refuseMoments } from '../learning/batch-parts.js';
import { encoderWork } from '../learning/model.js';
import type { SharedHooks } from '../learning/progress-event.js';
import { stepReporter } from '../learning/step-reporter.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { EventFile } from '../runs/event-file.js';
import { assertNewRun, openRun, type Run } from '../runs/folder.js';
import { begunWork, keptWork, nothingKept } from '../runs/kept-work.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { ScoreRows, UNTRAINED } from '../runs/score-rows.js';
import { describeParts, type Scores, writeScores } from '../runs/scores.js';
import { checkSameParameters } from '../runs/trainer-state.js';
import { boundsOf, chooseMetric, isBetter, metrics } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { undefinedByPredictions } from '../scoring/undefined-scores.js';
import { inputFiles } from '../sources/data-files.js';
import { version } from '../version.js';
import { checkFinetuning } from './check-finetuning.js';
import { drawsOf } from './draws.js';
import { keptScores, keptTraining, type Training, trainModel } from './finetuned-models.js';
import { type Kept, writeFinetunedRun, writeLearned } from './finetuned-run.js';
import { describeRecords, readingOf, readLabelledFile } from './labelled-file.js';

/** What `finetune` is given. */
export interface FinetuneVerbOptions {
  /** Folder of a pretrained run. */
  readonly run: string;
  /** A file with labels. */
  readonly data: string;
  /** The columns to predict. */
  readonly targets: readonly string[];
  /** Folder of the new run. */
  readonly out: string;
  readonly config?: FinetuneOptions;
  /** Write each training's loss, rate and validation as TensorBoard's event files, in `tensorboard` of the new run. */
  readonly tensorboard?: boolean;
  /** Go on with the fine-tuning that was stopped in this folder. */
  readonly resume?: boolean;
  /** As of `PretrainOptions`. */
  readonly rankTimeout?: number;
}

/** Fine-tunes, scores and writes a run that `predict` can use. Throws InputError for data or options that do not fit. */
export async function finetune(
  { run, ...options }: FinetuneVerbOptions,
  hooks: SharedHooks = {},
): Promise<Scores> {
  return finetuneRuns({ ...options, runs: [run] }, hooks);
}

/**
 * The same for several pretrained runs of one architecture and one tokenizer, each a method of its own in one table,
 * on the same records in the same order. The run that is written is of the first.
 */
export async function finetuneRuns(options: FinetuneRunsOptions, hooks: SharedHooks = {}): Promise<Scores> {
  const { ranks = alone } = hooks;
  if (ranks.rank === 0) return holdFolder(options.out, () => finetuneInto(options, hooks));
  // All ranks read and learn alike; one of them writes and tells.
  return finetuneInto(options, { ...hooks, onEvent: undefined });
}

type FinetuneRunsOptions = Omit<FinetuneVerbOptions, 'run'> & { readonly runs: readonly string[] };

async function finetuneInto(options: FinetuneRunsOptions, hooks: SharedHooks): Promise<Scores> {
  const { data, targets, out, resume } = options;
  const config = parseConfig({ finetune: options.config ?? {} }, 'config').finetune ?? {};
  const { onEvent = () => {}, ranks = alone } = hooks;
  const writes = ranks.rank === 0;
  if (ranks.size > 1 && resume)
    throw new InputError(
      `${out}: a fine-tuning on several ranks keeps nothing to go on from; leave out --resume`,
    );
  if (writes && !(resume && (await begunWork(out)))) await assertNewRun(out, { resume });
  await refuseOverwriteFolder(await inputFiles(data, config.format), out);
  const runs = await openRuns(options.runs, (message) => onEvent({ type: 'warning', message }));
  const [run] = runs;
  const planned = await planTrainings(runs, options, config, { ranks, onEvent });
  const { labelled, hash, learned, metric, seeds, draws, defined, partsOf, taskOf, trainings } = planned;
  const { spec } = labelled;
  const open = ranks.size > 1 ? async () => nothingKept : keptWork;
  const work = await open(out, 'fine-tuning', {
    version,
    data: hash,
    targets,
    finetune: { ...config, threads: undefined, device: undefined },
    runs: runs.map(({ step, config: own }) => ({ step, config: runHash(own) })),
  });
  const engine = await openEngine({
    ...config,
    work: () =>
      encoderWork(run.model, { batch: partSize(trainings[0].settings.batchSize, ranks), passes: 3 }),
    report: (message) => onEvent({ type: 'info', message }),
  });
  if (engine.device && trainings[0].settings.teacher) {
    throw new InputError(
      `finetune.self_training: with ${config.self_training} a teacher labels records between two steps, on the processor; leave out --device`,
    );
  }
  const starts = [...(config.from_scratch ? [] : runs), undefined];
  const { soup, selfTraining, regularizer } = trainings[0].settings;
  if (ranks.size > 1 && (soup || selfTraining || regularizer))
    throw new InputError(
      'finetune: several ranks do not share soup, self_training and regularizer, which look at more than a part of a batch; leave them out, or start it alone',
    );
  const perModel = (soup?.ingredients ?? 1) * (selfTraining === 'pseudo-labels' ? 3 : 1);
  const perDraw = starts.length * seeds * labelled.splits.length * perModel;
  const report = stepReporter(hooks, {
    ...trainings[0].settings,
    total: perDraw * trainings.reduce((sum, { settings }) => sum + settings.steps, 0),
  });
  // Of what follows from the number of labels, the batch size alone is in the programs.
  const trainers = new Map<number, LabelledTrainer>();
  try {
    const rows = new ScoreRows();
    let kept: Kept | undefined;
    let finished = 0;
    const all = draws.length * starts.length * seeds;
    await work.begin();
    for (const { split, shots, context, records } of draws) {
      const { settings } = trainings.find((training) => training.shots === shots)!;
      const network = encoderNetwork({ ...run.model, ...networkSettings(settings) });
      refuseMoments([network.build(spec, 1, network.maxTokens).loss], run.model.encoder.kind, ranks);
      const programs =
        trainers.get(settings.batchSize) ??
        new LabelledTrainer(
          engine,
          network,
          // Of all records, so that batches of any draw are long enough.
          { spec, metric, ...partsOf(labelled), unlabelled: labelled.unlabelledBlock },
          settings,
          ranks,
        );
      trainers.set(settings.batchSize, programs);
      const onStep = (at: Parameters<typeof report>[0]) => report({ ...at, ...settings, context });
      const whole = shots === undefined ? programs.on(taskOf(records(0), split)) : undefined;
      for (const start of starts) {
        const method = start?.config.objective.kind ?? UNTRAINED;
        let best: Kept | undefined;
        for (let seed = 0; seed < seeds; seed++) {
          const drawn = records(seed);
          const trainer = whole ?? programs.on(taskOf(drawn, split));
          const model = { split, shots, method, seed };
          /** One training, kept as far as it got and, where several make a model, whole. */
          const train = (of: LabelledTrainer, own: Training, from: Start | undefined) =>
            keptTraining(work, { ...model, ...own }, { whole: perModel > 1 }, async (state, keep) => {
              const { signal } = hooks;
              if (signal?.aborted) {
                const message = `${finished} of ${all} models are kept; go on with --resume`;
                onEvent({ type: 'info', message });
                signal.throwIfAborted();
              }
              const name = [method, context, `seed ${seed}`, describeTraining(own)]
                .filter(Boolean)
                .join(', ');
              const resumedStep = resume ? (state?.step ?? 0) : undefined;
              const curve = options.tensorboard && writes ? openCurve(out, name, resumedStep) : undefined;
              try {
                return await of.train({
                  ...settings,
                  start: from,
                  seed,
                  ingredient: own.ingredient,
                  signal,
                  state,
                  keep,
                  onStep(at) {
                    curve?.append({ ...at });
                    onStep(at);
                  },
                  onValid: ({ step, valid }) => curve?.append({ step, [`val_${metric}`]: valid }),
                });
              } finally {
                curve?.dispose();
              }
            });
          const { trained, value, perTarget, seconds } = await keptScores(work, model, {
            train: () =>
              trainModel(train, {
                trainer,
                task: () => taskOf(drawn, split),
                settings,
                start,
                run,
                spec,
                metric,
              }),
            score: (trained) => trainer.scoreTest(trained),
          });
          finished++;
          const { valid } = trained;
          rows.add(
            { method, metric, shots },
            { split, value, valid, ...(spec.targets > 1 && { perTarget }), seconds },
          );
          onEvent({ type: 'seed', method, seed, seeds, context, metric, value });
          if (best === undefined || isBetter(metric, valid, best.trained.valid))
            best = { trained, trainer, settings, members: drawn.members };
        }
        // Chosen by validation: the model that `predict` will use is of the first method and split, with the most shots.
        if (split === 0 && start === starts[0]) kept = best;
      }
    }
    const differences = rows.differences();
    const scores: Scores = {
      data: basename(data),
      hash,
      task: spec.task,
      targets: spec.columns,
      metric,
      higherIsBetter: metrics[metric].higherIsBetter,
      split: describeParts(labelled, learned),
      methods: rows.summarized(
        () => boundsOf(metric),
        () => defined.test ?? undefinedByPredictions(metric),
      ),
      ...(differences.length > 0 && { differences }),
      ...(engine.device && { adapter: engine.device.name }),
    };
    if (kept) await checkSameParameters(kept.trained.parameters, kept.trained.step, ranks);
    if (!writes) return scores;
    if (kept) {
      await writeFinetunedRun(out, run, spec, { targets, config, kept, engine });
      await writeLearned(out, config.from_scratch ? undefined : run, labelled.hashes, kept.members.train);
    }
    const written = await writeScores(out, scores);
    await work.remove();
    return written;
  } finally {
    for (const trainer of trainers.values()) await trainer.release();
  }
}

/**
 * What is trained: the labelled records, the draws of them that are learned from, and how. Throws InputError where options do
 * not fit the labels, or the ranks.
 */
async function planTrainings(
  runs: readonly Run[],
  { data, targets }: FinetuneRunsOptions,
  config: FinetuneOptions,
  { ranks, onEvent }: { ranks: Ranks; onEvent: NonNullable<SharedHooks['onEvent']> },
) {
  const [run] = runs;
  const { labelled, hash, warnings, learned } = await readLabelledFile(
    readingOf(runs),
    data,
    targets,
    config,
    {
      ...(config.randomize_smiles && { textColumn: run.tokenizer.columns[0] }),
      keepUnlabelled: config.self_training !== undefined,
    },
  );
  const { spec } = labelled;
  const metric = chooseMetric(spec.task, config.metric);
  checkFinetuning(config, labelled);
  const { seeds } = resolveFinetuning(config, labelled.counts.train);
  const { draws, defined } = drawsOf(labelled, { shots: config.shots, seeds, metric });
  for (const message of [...warnings, ...defined.notes]) onEvent({ type: 'warning', message });
  const randomized = config.randomize_smiles
    ? await openRandomized(run, labelled, (message) => onEvent({ type: 'info', message }))
    : undefined;
  /** The parts of one draw, and how the training records change in each epoch. */
  const partsOf = (drawn: LabelledData) => ({
    ...splitParts(drawn),
    ...(randomized && {
      trainingRecords: (seed: number, epoch: number) => randomized.blockOf(drawn.members.train, seed, epoch),
    }),
  });
  /** What a trainer needs of one draw. */
  const taskOf = (drawn: LabelledData, split: number) => ({
    ...partsOf(drawn),
    ...(config.self_training && { unlabelled: withoutLabel(drawn, labelled.splits[split].members.train) }),
  });
  // A draw that leaves no record without a label is refused before anything is trained.
  if (config.self_training) for (const { split, records } of draws) taskOf(records(0), split);
  // One training for each number of shots, sized by the first split.
  const firstSplit = draws.filter(({ split }) => split === 0);
  const trainings = firstSplit.map(({ shots, records }) => ({
    shots,
    settings: resolveFinetuning(config, records(0).counts.train),
  }));
  for (const { settings } of trainings) checkPartSize('finetune.batch_size', settings.batchSize, ranks);
  refuseChoice('finetune.device', config.device, ranks);
  onEvent({
    type: 'info',
    message:
      `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}; ` +
      `${labelled.croppedLabels > 0 ? `${labelled.croppedLabels.toLocaleString('en-US')} labels beyond the first ${run.tokenizer.spec.maxTokens} tokens are left out; ` : ''}` +
      `${trainings.map(({ shots, settings }) => `${shots === undefined ? '' : `${describeShots(shots)}: `}${settings.steps} steps of ${settings.batchSize}`).join(', ')}, ` +
      `learning rate ${trainings[0].settings.learningRate}, ${seeds} seeds`,
  });
  return { labelled, hash, learned, metric, seeds, draws, defined, partsOf, taskOf, trainings };
}

/** Runs that one table compares, each a method of its own. Throws InputError where they do not go together. */
async function openRuns(folders: readonly string[], warn: (message: string) => void): Promise<Run[]> {
  const runs: Run[] = [];
  for (const folder of folders) runs.push(await openRun(folder, warn));
  const [first, ...others] = runs;
  if (new Set(runs.map(({ config: { objective } }) => objective.kind)).size < runs.length)
    throw new InputError('finetune: expected runs of different objectives, which name the methods');
  for (const other of others) {
    if (JSON.stringify(other.tokenizer) !== JSON.stringify(first.tokenizer)) {
      throw new InputError(
        `${other.folder}: its tokenizer is not that of ${first.folder}; pretrain both on the same data`,
      );
    }
  }
  return runs;
}

/**
 * The records without a label, those of the training part `train` among them whose labels are not drawn. Throws InputError
 * where there is none.
 */
function withoutLabel({ block, members, unlabelledBlock }: LabelledData, train: Int32Array): TokenBlock {
  const known = new Set(members.train);
  const others = train.filter((record) => !known.has(record));
  const blocks = [...(unlabelledBlock ? [unlabelledBlock] : [])];
  if (others.length > 0) blocks.push(takeRecords(block, others));
  if (blocks.length > 0) return concatenateBlocks(blocks);
  throw new InputError(
    'finetune.self_training: the largest of --shots takes every training label, so that no record is without one; leave it out',
  );
}

/** The records as molecules to be written anew. Throws InputError where they are none, or their tokens have labels. */
async function openRandomized(
  { tokenizer }: Run,
  { spec, texts = [], members }: LabelledData,
  tell: (message: string) => void,
): Promise<RandomizedSmiles> {
  if (spec.task === 'per-token') {
    throw new InputError(
      'finetune.randomize_smiles: labels of tokens belong to the letters of the file, in their order; leave out --randomize-smiles',
    );
  }
  const randomized = await randomizedSmiles(tokenizer, texts);
  const [all, readable] = [members.train.length, randomized.readable(members.train)];
  tell(describeReadable(tokenizer, { all, readable }, 'finetune'));
  return randomized;
}

/** The event file of one training, in a folder of its own; of a resumed one the steps from there on replace what is there. */
const openCurve = (out: string, name: string, resumedStep?: number): EventFile =>
  new EventFile(join(out, 'tensorboard', name.replaceAll(/[^\w.-]+/g, '-')), resumedStep);

const describeTraining = ({ stage, ingredient }: Training): string =>
  [stage, ingredient === undefined ? '' : `ingredient ${ingredient}`].filter(Boolean).join(', ');
