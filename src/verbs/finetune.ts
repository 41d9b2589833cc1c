/**
 * Fine-tuning: the encoder and a fresh head, trained on labels from a pretrained run and from untrained parameters,
 * with several seeds, splits and numbers of labels. Validation chooses the step whose parameters are kept; test is scored
 * once for each, at the end.
 */

import { basename, join } from 'node:path';
import { alone } from '../cluster/ranks.js';
import { type FinetuningSettings, resolveFinetuning } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { Config, FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { describeReadable, type RandomizedSmiles, randomizedSmiles } from '../datasets/randomized-smiles.js';
import { describeShots } from '../datasets/shots.js';
import { type Engine, versionsOn } from '../engine/engine.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { checkPositive } from '../finetuning/label-scale.js';
import {
  encoderNetwork,
  LabelledTrainer,
  type Start,
  type Trained,
  type TrainingState,
} from '../finetuning/labelled-training.js';
import { regularizerNamed } from '../finetuning/regularizers/index.js';
import { pseudoLabelled } from '../finetuning/self-training.js';
import { AUXILIARY } from '../finetuning/tunings/index.js';
import { weightSoup } from '../finetuning/weight-soup.js';
import { checkPartSize, partSize, refuseDevice, refuseMoments } from '../learning/batch-parts.js';
import { encoderWork } from '../learning/model.js';
import type { Hooks, SharedHooks } from '../learning/progress-event.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { saveCheckpoint } from '../runs/checkpoints.js';
import { EventFile } from '../runs/event-file.js';
import { assertNewRun, openRun, type Run, writeRunJson } from '../runs/folder.js';
import { begunWork, type KeptWork, keptWork, nothingKept } from '../runs/kept-work.js';
import { LearnedRecordsWriter, readLearnedRecords } from '../runs/learned-records.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { ScoreRows, UNTRAINED } from '../runs/score-rows.js';
import { describeParts, type Scores, writeScores } from '../runs/scores.js';
import { checkSameParameters } from '../runs/trainer-state.js';
import type { LabelSpec } from '../scoring/labels.js';
import { boundsOf, chooseMetric, isBetter, type MetricName, metrics } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { undefinedByPredictions } from '../scoring/undefined-scores.js';
import { inputFiles } from '../sources/data-files.js';
import { version } from '../version.js';
import { drawsOf } from './draws.js';
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
  const runs: Run[] = [];
  for (const folder of options.runs) {
    runs.push(await openRun(folder, (message) => onEvent({ type: 'warning', message })));
  }
  const [run, ...others] = runs;
  if (new Set(runs.map(({ config: { objective } }) => objective.kind)).size < runs.length)
    throw new InputError('finetune: expected runs of different objectives, which name the methods');
  for (const other of others) {
    if (JSON.stringify(other.tokenizer) !== JSON.stringify(run.tokenizer)) {
      throw new InputError(
        `${other.folder}: its tokenizer is not that of ${run.folder}; pretrain both on the same data`,
      );
    }
  }
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
  checkTransform(config.target_transform, labelled);
  checkFewLabels(config, labelled);
  const { seeds } = resolveFinetuning(config, labelled.counts.train);
  const { draws, defined } = drawsOf(labelled, { shots: config.shots, seeds, metric });
  for (const message of [...warnings, ...defined.notes]) onEvent({ type: 'warning', message });
  if (config.head === 'attention' && spec.task === 'per-token') {
    throw new InputError(
      'finetune.head: labels of tokens are read from the state of each token, not by one query; leave out --head attention',
    );
  }
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
  refuseDevice('finetune.device', config.device, ranks);
  onEvent({
    type: 'info',
    message:
      `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}; ` +
      `${labelled.croppedLabels > 0 ? `${labelled.croppedLabels.toLocaleString('en-US')} labels beyond the first ${run.tokenizer.spec.maxTokens} tokens are left out; ` : ''}` +
      `${trainings.map(({ shots, settings }) => `${shots === undefined ? '' : `${describeShots(shots)}: `}${settings.steps} steps of ${settings.batchSize}`).join(', ')}, ` +
      `learning rate ${trainings[0].settings.learningRate}, ${seeds} seeds`,
  });

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
  const trainers: LabelledTrainer[] = [];
  try {
    const rows = new ScoreRows();
    let kept: Kept | undefined;
    let finished = 0;
    const all = draws.length * starts.length * seeds;
    await work.begin();
    for (const { split, shots, context, records } of draws) {
      const place = trainings.findIndex((training) => training.shots === shots);
      const { settings } = trainings[place];
      const network = encoderNetwork({ ...run.model, ...networkSettings(settings) });
      refuseMoments([network.build(spec, 1, network.maxTokens).loss], run.model.encoder.kind, ranks);
      trainers[place] ??= new LabelledTrainer(
        engine,
        network,
        // Of all records, so that batches of any draw are long enough.
        { spec, metric, ...partsOf(labelled), unlabelled: labelled.unlabelledBlock },
        settings,
        ranks,
      );
      const onStep = (at: Parameters<typeof report>[0]) => report({ ...at, ...settings, context });
      const whole = shots === undefined ? trainers[place].on(taskOf(records(0), split)) : undefined;
      for (const start of starts) {
        const method = start?.config.objective.kind ?? UNTRAINED;
        let best: Kept | undefined;
        for (let seed = 0; seed < seeds; seed++) {
          const drawn = records(seed);
          const trainer = whole ?? trainers[place].on(taskOf(drawn, split));
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
              const name = [method, context, `seed ${seed}`, own.stage, describeIngredient(own)];
              const curve =
                options.tensorboard && writes
                  ? openCurve(
                      out,
                      name.filter(Boolean).join(', '),
                      options.resume ? (state?.step ?? 0) : undefined,
                    )
                  : undefined;
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
    for (const trainer of trainers) await trainer?.release();
  }
}

/** Which training of those that make one model. */
interface Training {
  /** Of a soup. */
  readonly ingredient?: number;
  /** Before the one on the true labels. */
  readonly stage?: 'teacher' | 'pseudo-labels';
}

const describeIngredient = ({ ingredient }: Training) =>
  ingredient === undefined ? undefined : `ingredient ${ingredient}`;

/** A model that was trained, in seconds of all calls that took part. */
interface TrainedModel {
  readonly trained: Trained;
  readonly seconds: number;
}

/** Trains one model: each training with the stages before it, and several for a soup. */
async function trainModel(
  train: (trainer: LabelledTrainer, of: Training, start: Start | undefined) => Promise<TrainedModel>,
  {
    trainer,
    task,
    settings: { selfTraining, soup },
    start,
    run,
    spec,
    metric,
  }: {
    trainer: LabelledTrainer;
    task: () => Parameters<LabelledTrainer['on']>[0];
    settings: FinetuningSettings;
    start: Start | undefined;
    run: Run;
    spec: LabelSpec;
    metric: MetricName;
  },
): Promise<TrainedModel> {
  let seconds = 0;
  const once = async (...of: Parameters<typeof train>) => {
    const model = await train(...of);
    seconds += model.seconds;
    return model.trained;
  };
  const throughStages = async (ingredient?: number): Promise<Trained> => {
    if (selfTraining !== 'pseudo-labels') return once(trainer, { ingredient }, start);
    const teacher = await once(trainer, { ingredient, stage: 'teacher' }, start);
    const { unlabelled, ...parts } = task();
    if (!unlabelled) throw new Error('pseudo-labels: no record is without a label');
    const labels = pseudoLabelled(unlabelled, await trainer.predictWith(teacher, unlabelled), spec);
    const stage = trainer.on({ ...parts, trainingRecords: undefined, train: labels });
    const student = await once(stage, { ingredient, stage: 'pseudo-labels' }, start);
    return once(trainer, { ingredient }, trainer.startOf(student, run.folder));
  };
  if (!soup) {
    const trained = await throughStages();
    return { trained, seconds };
  }
  const ingredients: Trained[] = [];
  for (let i = 0; i < soup.ingredients; i++) ingredients.push(await throughStages(i));
  const trained = await weightSoup(soup.kind, ingredients, {
    validate: (parameters) => trainer.scoreValid(parameters),
    isBetter: (value, best) => isBetter(metric, value, best),
  });
  return { trained, seconds };
}

/** One that was scored. */
interface ScoredModel extends TrainedModel {
  readonly value: number;
  readonly perTarget: readonly number[];
}

/** JSON has no NaN, and typed arrays have. */
interface PackedTrained extends Omit<Trained, 'valid'> {
  readonly valid: Float64Array;
}
const pack = (trained: Trained): PackedTrained => ({ ...trained, valid: Float64Array.of(trained.valid) });
const unpack = (packed: PackedTrained): Trained => ({ ...packed, valid: packed.valid[0] });

/** The file of the training that is under way. */
const UNDER_WAY = 'under way';

/** One model among the pieces of a fine-tuning, trained and scored unless it is there. */
async function keptScores(
  work: KeptWork,
  of: { split: number; shots?: number; method: string; seed: number },
  {
    train,
    score,
  }: {
    train: () => Promise<TrainedModel>;
    score: (trained: Trained) => Promise<{ value: number; perTarget: readonly number[] }>;
  },
): Promise<ScoredModel> {
  const name = JSON.stringify(of);
  const piece = (await work.read(name)) as
    | { trained: PackedTrained; scores: Float64Array; seconds: number }
    | undefined;
  if (piece) {
    const [value, ...perTarget] = piece.scores;
    return { trained: unpack(piece.trained), value, perTarget, seconds: piece.seconds };
  }
  const { trained, seconds: spent } = await train();
  const started = performance.now();
  const { value, perTarget } = await score(trained);
  const seconds = spent + (performance.now() - started) / 1000;
  await work.write(name, { trained: pack(trained), scores: Float64Array.of(value, ...perTarget), seconds });
  return { trained, value, perTarget, seconds };
}

/** One training among the pieces of a fine-tuning, gone on with from where it was left; kept as a `whole` where asked for. */
async function keptTraining(
  work: KeptWork,
  of: Training & { split: number; shots?: number; method: string; seed: number },
  { whole }: { whole: boolean },
  train: (
    state: TrainingState | undefined,
    keep: (state: TrainingState) => Promise<void>,
  ) => Promise<Trained>,
): Promise<TrainedModel> {
  const name = JSON.stringify({ ...of, trained: true });
  const piece = whole
    ? ((await work.read(name)) as { trained: PackedTrained; seconds: number } | undefined)
    : undefined;
  if (piece) return { trained: unpack(piece.trained), seconds: piece.seconds };
  const started = performance.now();
  const left = (await work.read(UNDER_WAY)) as
    | { name: string; seconds: number; best?: PackedTrained; state: Omit<TrainingState, 'best'> }
    | undefined;
  const own = left?.name === name ? left : undefined;
  const spent = () => (own?.seconds ?? 0) + (performance.now() - started) / 1000;
  const trained = await train(
    own && { ...own.state, ...(own.best && { best: unpack(own.best) }) },
    ({ best, ...state }) =>
      work.write(UNDER_WAY, { name, seconds: spent(), ...(best && { best: pack(best) }), state }),
  );
  const seconds = spent();
  if (whole) await work.write(name, { trained: pack(trained), seconds });
  return { trained, seconds };
}

/** What of the settings the network is built by. */
export const networkSettings = ({ dropout, head, tuning, regularizer }: FinetuningSettings) => ({
  dropout,
  head,
  tuning,
  regularizer,
});

/** Throws InputError for ways to learn from few labels that have no meaning in the task, or no records to learn from. */
export function checkFewLabels(
  {
    regularizer,
    tuning = 'full',
    self_training: selfTraining,
    unlabelled_weight: unlabelledWeight,
    soup,
    ingredients,
    shots,
  }: FinetuneOptions,
  { spec, unlabelledBlock }: Pick<LabelledData, 'spec' | 'unlabelledBlock'>,
): void {
  if (regularizer) {
    const { tasks } = regularizerNamed(regularizer);
    if (!tasks.includes(spec.task))
      throw new InputError(
        `finetune.regularizer: ${regularizer} is for ${tasks.join(', ')}, and this task is ${spec.task}; leave out --regularizer`,
      );
  }
  if (ingredients !== undefined && !soup)
    throw new InputError('finetune.ingredients: are those of a soup; add --soup greedy, or leave them out');
  if (unlabelledWeight !== undefined && selfTraining !== 'mean-teacher' && selfTraining !== 'future')
    throw new InputError(
      'finetune.unlabelled_weight: is for records that a teacher labels; add --self-training future, or leave it out',
    );
  if (!selfTraining) return;
  if (spec.task === 'per-token')
    throw new InputError(
      'finetune.self_training: labels records, and this task has labels of tokens; leave out --self-training',
    );
  if (selfTraining !== 'pseudo-labels' && regularizer && regularizerNamed(regularizer).comparesRecords)
    throw new InputError(
      `finetune.regularizer: ${regularizer} contrasts records by true labels, beside which a teacher's do not stand; leave out --regularizer, or choose --self-training pseudo-labels`,
    );
  if (selfTraining === 'pseudo-labels' && tuning === 'frozen')
    throw new InputError(
      'finetune.self_training: pseudo-labels teach the encoder, which tuning frozen does not move; choose another --tuning',
    );
  if (!unlabelledBlock && !shots)
    throw new InputError(
      'finetune.self_training: expected records without a label, and all of them have one; leave out --self-training, or learn from few of the labels with --shots',
    );
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

/** The parameters of the run that is written, and how they came about. */
interface Kept {
  readonly trained: Trained;
  readonly trainer: LabelledTrainer;
  readonly settings: FinetuningSettings;
  readonly members: LabelledData['members'];
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

/** Throws InputError where the labels cannot be transformed. */
export function checkTransform(
  transform: FinetuneOptions['target_transform'],
  { spec, labels }: LabelledData,
): void {
  if (transform === undefined || transform === 'standardize') return;
  if (spec.task !== 'regression') {
    throw new InputError(
      `finetune.target_transform: ${transform} is for regression, and this task is ${spec.task}; leave out --target-transform`,
    );
  }
  if (transform === 'log') checkPositive(spec.columns, labels);
}

/** Progress over all seeds and methods: the time left is that of the whole. */
export function stepReporter(
  { onEvent }: Hooks,
  { steps, batchSize, total }: { steps: number; batchSize: number; total: number },
) {
  const begun = performance.now();
  let done = 0;
  let records = 0;
  return (at: {
    step: number;
    epoch: number;
    loss: number;
    lr: number;
    /** Where trainings differ, those of this one. */
    steps?: number;
    batchSize?: number;
    context?: string;
  }): void => {
    const seconds = (performance.now() - begun) / 1000;
    done++;
    records += at.batchSize ?? batchSize;
    onEvent?.({
      type: 'step',
      step: at.step,
      steps: at.steps ?? steps,
      ...(at.context !== undefined && { context: at.context }),
      epoch: at.epoch,
      loss: at.loss,
      lr: at.lr,
      samples_per_second: records / seconds,
      data_wait: 0,
      seconds_left: (seconds / done) * (total - done),
    });
  };
}

/** A run like any other, with a head in its checkpoint and labels.json beside it. */
async function writeFinetunedRun(
  out: string,
  run: Run,
  spec: LabelSpec,
  {
    targets,
    config,
    kept,
    engine,
  }: { targets: readonly string[]; config: FinetuneOptions; kept: Kept; engine: Engine },
): Promise<void> {
  const { trained, trainer, settings } = kept;
  const { kind: tuning, ...tuningOptions } = settings.tuning;
  const { kind: regularizer, ...regularizerOptions } = settings.regularizer ?? {};
  const resolved: Config = {
    ...run.config,
    finetune: {
      ...config,
      target: [...targets],
      seeds: settings.seeds,
      steps: settings.steps,
      batch_size: settings.batchSize,
      learning_rate: settings.learningRate,
      weight_decay: settings.weightDecay,
      clip_norm: settings.clipNorm,
      head: settings.head,
      tuning,
      ...tuningOptions,
      ...(regularizer && { regularizer, ...regularizerOptions }),
      validations: settings.validations,
      ...(settings.patience !== undefined && { patience: settings.patience }),
      ...settings.dropout,
      device: engine.device && 'webgpu',
    },
    versions: versionsOn(engine, run.config.versions),
  };
  await trainer.trainer.setParameters(trained.parameters);
  const parameters = Object.fromEntries(
    Object.entries(trainer.trainer.parameters).filter(([name]) => !name.startsWith(AUXILIARY)),
  );
  await writeRunJson(out, 'tokenizer', run.tokenizer.toJSON());
  if (run.schema) await writeRunJson(out, 'schema', run.schema);
  await writeRunJson(out, 'labels', { spec, scale: trainer.scale });
  await saveCheckpoint(out, {
    step: trained.step,
    tensors: parameters,
    metadata: { epoch: 0, position: trained.step, config_hash: runHash(resolved), version },
  });
  await writeRunJson(out, 'config', resolved);
}

/** What the new run learned from: what the pretrained one did, and the training records. Not written where the first does not tell. */
async function writeLearned(
  out: string,
  pretrained: Run | undefined,
  hashes: LabelledData['hashes'],
  train: Int32Array,
): Promise<void> {
  const before = pretrained && (await readLearnedRecords(pretrained.folder));
  if (pretrained && !before) return;
  const learned = new LearnedRecordsWriter(before);
  learned.add(hashes, train);
  await learned.write(out);
}

/** The event file of one training, in a folder of its own; of a resumed one the steps from there on replace what is there. */
const openCurve = (out: string, name: string, resumedStep?: number): EventFile =>
  new EventFile(join(out, 'tensorboard', name.replaceAll(/[^\w.-]+/g, '-')), resumedStep);
