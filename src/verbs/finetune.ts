/**
 * Fine-tuning: the encoder and a fresh head, trained on labels from a pretrained run and from untrained parameters,
 * with several seeds. Validation chooses the step whose parameters are kept; test is scored once per seed, at the end.
 */

import { type FinetuningSettings, resolveFinetuning } from '../config/defaults.js';
import { parseConfig } from '../config/parse.js';
import type { Config, FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { encoderNetwork, LabelledTrainer, type Trained } from '../finetuning/labelled-training.js';
import type { Hooks } from '../learning/progress-event.js';
import { saveCheckpoint } from '../runs/checkpoints.js';
import { assertNewRun, openRun, type Run, runFile, writeJson } from '../runs/folder.js';
import { LearnedRecordsWriter, readLearnedRecords } from '../runs/learned-records.js';
import { describeParts, type MethodScores, type Scores, writeScores } from '../runs/scores.js';
import type { LabelSpec } from '../scoring/labels.js';
import { boundsOf, chooseMetric, isBetter, metrics } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { summarize } from '../scoring/statistics.js';
import { checkDefined, undefinedByPredictions } from '../scoring/undefined-scores.js';
import { inputFiles } from '../sources/data-files.js';
import { version } from '../version.js';
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
}

/** Fine-tunes, scores and writes a run that `predict` can use. Throws InputError for data or options that do not fit. */
export async function finetune({ run, ...options }: FinetuneVerbOptions, hooks: Hooks = {}): Promise<Scores> {
  return finetuneRuns({ ...options, runs: [run] }, hooks);
}

/**
 * The same for several pretrained runs of one architecture and one tokenizer, each a method of its own in one table,
 * on the same records in the same order. The run that is written is of the first.
 */
export async function finetuneRuns(
  options: Omit<FinetuneVerbOptions, 'run'> & { readonly runs: readonly string[] },
  hooks: Hooks = {},
): Promise<Scores> {
  const { data, targets, out } = options;
  const config = parseConfig({ finetune: options.config ?? {} }, 'config').finetune ?? {};
  const { onEvent = () => {} } = hooks;
  await assertNewRun(out);
  await refuseOverwriteFolder(await inputFiles(data, config.format), out);
  const runs: Run[] = [];
  for (const folder of options.runs) {
    runs.push(await openRun(folder, (message) => onEvent({ type: 'warning', message })));
  }
  const [run, ...others] = runs;
  for (const other of others) {
    if (JSON.stringify(other.tokenizer) !== JSON.stringify(run.tokenizer)) {
      throw new InputError(
        `${other.folder}: its tokenizer is not that of ${run.folder}; pretrain both on the same data`,
      );
    }
  }
  const { labelled, warnings, learned } = await readLabelledFile(readingOf(runs), data, targets, config);
  const { spec } = labelled;
  const metric = chooseMetric(spec.task, config.metric);
  const { train, valid, test } = splitParts(labelled);
  const defined = checkDefined(labelled, metric);
  for (const message of [...warnings, ...defined.notes]) onEvent({ type: 'warning', message });
  const settings = resolveFinetuning(config, train.records.count);
  if (settings.head === 'attention' && spec.task === 'per-token') {
    throw new InputError(
      'finetune.head: labels of tokens are read from the state of each token, not by one query; leave out --head attention',
    );
  }
  const { steps, batchSize, learningRate, seeds } = settings;
  onEvent({
    type: 'info',
    message:
      `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}; ` +
      `${labelled.croppedLabels > 0 ? `${labelled.croppedLabels.toLocaleString('en-US')} labels beyond the first ${run.tokenizer.spec.maxTokens} tokens are left out; ` : ''}` +
      `${steps} steps of ${batchSize}, learning rate ${learningRate}, ${seeds} seeds`,
  });

  const engine = await nodeEngine({ threads: config.threads ?? defaultThreads() });
  const trainer = new LabelledTrainer(
    engine,
    encoderNetwork({ ...run.model, dropout: settings.dropout, head: settings.head }),
    { spec, metric, train, valid, test },
    settings,
  );
  const starts = [...(config.from_scratch ? [] : runs), undefined];
  const onStep = stepReporter(hooks, { steps, batchSize, total: starts.length * seeds * steps });

  try {
    const methods: MethodScores[] = [];
    let kept: Trained | undefined;
    for (const start of starts) {
      const method = start?.config.objective.kind ?? 'untrained';
      const started = performance.now();
      const outcomes: Trained[] = [];
      const scored: { value: number; perTarget: readonly number[] }[] = [];
      for (let seed = 0; seed < seeds; seed++) {
        const outcome = await trainer.train({ ...settings, start, seed, signal: hooks.signal, onStep });
        outcomes.push(outcome);
        scored.push(await trainer.scoreTest(outcome));
        onEvent({ type: 'seed', method, seed, seeds, metric, value: scored[seed].value });
      }
      const perSeed = scored.map(({ value }) => value);
      methods.push({
        method,
        metric,
        perSeed,
        validPerSeed: outcomes.map(({ valid }) => valid),
        ...(spec.targets > 1 && { perTarget: scored.map(({ perTarget }) => perTarget) }),
        ...summarize(perSeed, boundsOf(metric)),
        ...(perSeed.some(Number.isNaN) && { reason: defined.test ?? undefinedByPredictions(metric) }),
        seconds: (performance.now() - started) / 1000,
      });
      // Chosen by validation: the model that `predict` will use is of the first method.
      kept ??= outcomes.reduce((best, outcome) =>
        isBetter(metric, outcome.valid, best.valid) ? outcome : best,
      );
    }
    const scores: Scores = {
      task: spec.task,
      targets: spec.columns,
      metric,
      higherIsBetter: metrics[metric].higherIsBetter,
      split: describeParts(labelled, learned),
      methods,
    };
    if (kept) {
      await writeFinetunedRun(out, run, spec, { targets, config, settings, trainer, kept });
      await writeLearned(out, config.from_scratch ? undefined : run, labelled);
    }
    return await writeScores(out, scores);
  } finally {
    await trainer.release();
  }
}

/** Progress over all seeds and methods: the time left is that of the whole. */
export function stepReporter(
  { onEvent }: Hooks,
  { steps, batchSize, total }: { steps: number; batchSize: number; total: number },
) {
  const begun = performance.now();
  let done = 0;
  return (at: { step: number; epoch: number; loss: number; lr: number }): void => {
    const seconds = (performance.now() - begun) / 1000;
    done++;
    onEvent?.({
      type: 'step',
      ...at,
      steps,
      samples_per_second: (done * batchSize) / seconds,
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
    settings,
    trainer,
    kept,
  }: {
    targets: readonly string[];
    config: FinetuneOptions;
    settings: FinetuningSettings;
    trainer: LabelledTrainer;
    kept: Trained;
  },
): Promise<void> {
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
      validations: settings.validations,
      ...settings.dropout,
    },
  };
  const { state, parameters } = trainer.trainer;
  state.parameters.set(kept.parameters);
  await writeJson(runFile(out, 'tokenizer'), run.tokenizer.toJSON());
  if (run.schema) await writeJson(runFile(out, 'schema'), run.schema);
  await writeJson(runFile(out, 'labels'), { spec, scale: trainer.scale });
  await saveCheckpoint(out, {
    step: kept.step,
    tensors: parameters,
    metadata: { epoch: 0, position: kept.step, config_hash: hashConfig({ ...resolved }), version },
  });
  await writeJson(runFile(out, 'config'), resolved);
}

/** What the new run learned from: what the pretrained one did, and the training records. Not written where the first does not tell. */
async function writeLearned(
  out: string,
  pretrained: Run | undefined,
  { hashes, members }: LabelledData,
): Promise<void> {
  const before = pretrained && (await readLearnedRecords(pretrained.folder));
  if (pretrained && !before) return;
  const learned = new LearnedRecordsWriter(before);
  learned.add(hashes, members.train);
  await learned.write(out);
}
