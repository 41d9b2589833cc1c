/**
 * Fine-tuning: the encoder and a fresh head, trained on labels from a pretrained run and from untrained parameters,
 * with several seeds, splits and numbers of labels. Validation chooses the step whose parameters are kept; test is scored
 * once for each, at the end.
 */

import { basename, join } from 'node:path';
import { alone, type Ranks } from '../cluster/ranks.js';
import { type FinetuningSettings, networkSettings } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import type { Engine } from '../engine/engine.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { encoderNetwork, LabelledTrainer } from '../finetuning/labelled-training.js';
import type { Start } from '../finetuning/train-to-best.js';
import { partSize, refuseMoments } from '../learning/batch-parts.js';
import { encoderWork } from '../learning/model.js';
import type { SharedHooks } from '../learning/progress-event.js';
import { stepReporter } from '../learning/step-reporter.js';
import { EventFile } from '../runs/event-file.js';
import { assertNewRun, type Run } from '../runs/folder.js';
import { begunWork, type KeptWork, keptWork, nothingKept } from '../runs/kept-work.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { ScoreRows, scoresOf, UNTRAINED } from '../runs/score-rows.js';
import { type Scores, writeScores } from '../runs/scores.js';
import { checkSameParameters } from '../runs/trainer-state.js';
import { isBetter } from '../scoring/metrics.js';
import { inputFiles } from '../sources/data-files.js';
import { version } from '../version.js';
import { keptScores, keptTraining, type Training, trainModel } from './finetuned-models.js';
import { type Kept, writeFinetunedRun, writeLearned } from './finetuned-run.js';
import { type FinetuningPlan, openRuns, planFinetuning } from './plan-finetuning.js';

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
  const plan = await planFinetuning(runs, options, config, { ranks, onEvent });
  const { labelled, hash, metric, seeds, draws, defined } = plan;
  const { spec } = labelled;
  const open = ranks.size > 1 ? async () => nothingKept : keptWork;
  const work = await open(out, 'fine-tuning', {
    version,
    data: hash,
    targets,
    // The command line has the targets in the section, too.
    finetune: { ...config, target: undefined, threads: undefined, device: undefined },
    runs: runs.map(({ step, config: own }) => ({ step, config: runHash(own) })),
  });
  const [{ settings }] = plan.trainings;
  const engine = await openEngine({
    ...config,
    work: () => encoderWork(run.model, { batch: partSize(settings.batchSize, ranks), passes: 3 }),
    report: (message) => onEvent({ type: 'info', message }),
  });
  checkSharing(settings, { ranks, engine });
  const starts = [...(config.from_scratch ? [] : runs), undefined];
  const models = finetunedModels(plan, { run, engine, work, starts }, options, hooks);
  try {
    const rows = new ScoreRows();
    let kept: Kept | undefined;
    await work.begin();
    for (const draw of draws) {
      const { split, shots, context } = draw;
      const modelOf = models.of(draw);
      for (const start of starts) {
        const method = methodOf(start);
        let best: Kept | undefined;
        for (let seed = 0; seed < seeds; seed++) {
          const { value, perTarget, seconds, ...model } = await modelOf(start, seed);
          const { valid } = model.trained;
          rows.add(
            { method, metric, shots },
            { split, value, valid, ...(spec.targets > 1 && { perTarget }), seconds },
          );
          onEvent({ type: 'seed', method, seed, seeds, context, metric, value });
          if (best === undefined || isBetter(metric, valid, best.trained.valid)) best = model;
        }
        // Chosen by validation: the model that `predict` will use is of the first method and split, with the most shots.
        if (split === 0 && start === starts[0]) kept = best;
      }
    }
    const scores = scoresOf(rows, { data: basename(data), file: plan, metric, defined, engine });
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
    await models.release();
  }
}

/** Throws InputError for settings that a GPU or several ranks cannot have. */
function checkSharing(
  { teacher, soup, selfTraining, regularizer }: FinetuningSettings,
  { ranks, engine }: { ranks: Ranks; engine: Engine },
): void {
  if (engine.device && teacher) {
    throw new InputError(
      `finetune.self_training: with ${selfTraining} a teacher labels records between two steps, on the processor; leave out --device`,
    );
  }
  if (ranks.size > 1 && (soup || selfTraining || regularizer))
    throw new InputError(
      'finetune: several ranks do not share soup, self_training and regularizer, which look at more than a part of a batch; leave them out, or start it alone',
    );
}

/** The name of a method in the table: the objective of the run that it starts from. */
const methodOf = (start: Run | undefined) => start?.config.objective.kind ?? UNTRAINED;

/** The models of a plan, each trained and scored when it is asked for; what they share is kept until `release`. */
function finetunedModels(
  { labelled: { spec, splits }, metric, seeds, draws, all, taskOf, trainings }: FinetuningPlan,
  {
    run,
    engine,
    work,
    starts,
  }: { run: Run; engine: Engine; work: KeptWork; starts: readonly (Run | undefined)[] },
  { out, resume, tensorboard }: FinetuneRunsOptions,
  hooks: SharedHooks,
) {
  const { onEvent = () => {}, signal, ranks = alone } = hooks;
  const { soup, selfTraining } = trainings[0].settings;
  const perModel = (soup?.ingredients ?? 1) * (selfTraining === 'pseudo-labels' ? 3 : 1);
  const perDraw = starts.length * seeds * splits.length * perModel;
  const report = stepReporter(hooks, {
    ...trainings[0].settings,
    total: perDraw * trainings.reduce((sum, { settings }) => sum + settings.steps, 0),
  });
  // Of what follows from the number of labels, the batch size alone is in the programs.
  const programs = new Map<number, LabelledTrainer>();
  const programsOf = (settings: FinetuningSettings): LabelledTrainer => {
    const made = programs.get(settings.batchSize);
    if (made) return made;
    const network = encoderNetwork({ ...run.model, ...networkSettings(settings) });
    refuseMoments([network.build(spec, 1, network.maxTokens).loss], run.model.encoder.kind, ranks);
    const trainer = new LabelledTrainer(engine, network, { spec, metric, ...all }, settings, ranks);
    programs.set(settings.batchSize, trainer);
    return trainer;
  };
  let finished = 0;
  return {
    of({ split, shots, context, records }: FinetuningPlan['draws'][number]) {
      const { settings } = trainings.find((training) => training.shots === shots)!;
      const trainerOf = (drawn: LabelledData) => programsOf(settings).on(taskOf(drawn, split));
      const whole = shots === undefined ? trainerOf(records(0)) : undefined;
      return async (start: Run | undefined, seed: number) => {
        const drawn = records(seed);
        const trainer = whole ?? trainerOf(drawn);
        const method = methodOf(start);
        const model = { split, shots, method, seed };
        /** One training, kept as far as it got and, where several make a model, whole. */
        const train = (of: LabelledTrainer, own: Training, from: Start | undefined) =>
          keptTraining(work, { ...model, ...own }, { whole: perModel > 1 }, async (state, keep) => {
            if (signal?.aborted) {
              const message = `${finished} of ${draws.length * starts.length * seeds} models are kept; go on with --resume`;
              onEvent({ type: 'info', message });
              signal.throwIfAborted();
            }
            const name = [method, context, `seed ${seed}`, describeTraining(own)].filter(Boolean).join(', ');
            const resumedStep = resume ? (state?.step ?? 0) : undefined;
            const curve = tensorboard && ranks.rank === 0 ? openCurve(out, name, resumedStep) : undefined;
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
                  const { step, epoch, loss, lr } = at;
                  curve?.append({ step, epoch, loss, lr });
                  report(at, { ...settings, context });
                },
                onValid: ({ step, valid }) => curve?.append({ step, [`val_${metric}`]: valid }),
              });
            } finally {
              curve?.dispose();
            }
          });
        const task = () => taskOf(drawn, split);
        const scored = await keptScores(work, model, {
          train: () => trainModel(train, { trainer, task, settings, start, run, spec, metric }),
          score: (trained) => trainer.scoreTest(trained),
        });
        finished++;
        return { ...scored, trainer, settings, members: drawn.members };
      };
    },
    async release() {
      for (const trainer of programs.values()) await trainer.release();
    },
  };
}

/** The event file of one training, in a folder of its own; of a resumed one the steps from there on replace what is there. */
const openCurve = (out: string, name: string, resumedStep?: number): EventFile =>
  new EventFile(join(out, 'tensorboard', name.replaceAll(/[^\w.-]+/g, '-')), resumedStep);

const describeTraining = ({ stage, ingredient }: Training): string =>
  [stage, ingredient === undefined ? '' : `ingredient ${ingredient}`].filter(Boolean).join(', ');
