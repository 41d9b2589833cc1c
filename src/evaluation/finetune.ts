/**
 * Fine-tuning: the encoder and a fresh head, trained on labels from a pretrained run and from untrained parameters,
 * with several seeds. Validation chooses the step whose parameters are kept; test is scored once per seed, at the end.
 */

import type { HostTensors } from '../engine/engine.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError, LacunaError } from '../errors.js';
import {
  type Batch,
  type BatchPlan,
  blockLengths,
  bucketLengths,
  epochOrder,
  packBatch,
  takeRecords,
} from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import { matchParameters, saveCheckpoint } from '../training/checkpoint-files.js';
import { hashConfig, parseConfig } from '../training/config.js';
import type { Config, FinetuneOptions } from '../training/config-schema.js';
import { initializeParameters } from '../training/parameters.js';
import { tokenFeeds } from '../training/pretraining-loop.js';
import type { Hooks } from '../training/progress-event.js';
import { assertNewRun, openRun, type Run, runFile, writeJson } from '../training/run-folder.js';
import { learningRateAt } from '../training/schedule.js';
import { Trainer } from '../training/trainer.js';
import { version } from '../version.js';
import { finetuningGraph, HEAD } from './finetuning-graph.js';
import { type LabelledData, readLabelledFor } from './labelled-data.js';
import type { LabelSpec } from './labels.js';
import { chooseMetric, isBetter, type MetricName, metrics, scoreTargets } from './metrics.js';
import { TEST, TRAIN, VALID } from './protocol.js';
import { type MethodScores, type Scores, writeScores } from './scores.js';
import { summarize } from './statistics.js';

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

/** Fills in what the user did not say. */
interface Settings {
  readonly seeds: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly validSteps: number;
}

const PARTS = { train: TRAIN, valid: VALID, test: TEST } as const;

/** One part of the labelled records. */
interface LabelledPart {
  readonly block: TokenBlock;
  /** float64[count, targets]; NaN is missing. */
  readonly labels: Float64Array;
}

/** What one training run left: parameters that were best on validation, and their scores. */
interface Outcome {
  readonly parameters: Float32Array;
  readonly valid: number;
  readonly test: number;
  readonly perTarget: readonly number[];
  readonly step: number;
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
  const labelled = await readLabelledFor(run, data, targets, config);
  const { spec } = labelled;
  const metric = chooseMetric(spec.task, config.metric);
  const { train, valid, test } = splitParts(labelled);
  const rejected = labelled.rejected.summary();
  if (rejected) onEvent({ type: 'warning', message: rejected });
  const settings = resolveSettings(config, train.block.count);
  onEvent({
    type: 'info',
    message:
      `${spec.task}: ${spec.reason}; split by ${labelled.splitBy}: ${train.block.count} train, ${valid.block.count} valid, ${test.block.count} test; ` +
      `${settings.steps} steps of ${settings.batchSize}, learning rate ${settings.learningRate}, ${settings.seeds} seeds`,
  });

  const scale = labelScale(spec, train.labels);
  const buckets = bucketLengths(blockLengths(labelled.block), run.tokenizer.spec.maxTokens);
  const engine = await nodeEngine({ threads: config.threads ?? defaultThreads() });
  const trainer = new Trainer(
    engine,
    {
      build: (tokens) => finetuningGraph(run.model, spec, settings.batchSize, tokens),
      weightDecay: 0.01,
      clipNorm: 1,
    },
    buckets[0],
  );
  const pretrained = config.from_scratch ? [] : runs;
  const total = (pretrained.length + 1) * settings.seeds * settings.steps;
  const task = {
    trainer,
    spec,
    metric,
    train,
    valid,
    test,
    scale,
    settings,
    buckets,
    hooks,
    total,
    begun: performance.now(),
  };

  try {
    const methods: MethodScores[] = [];
    let kept: Outcome | undefined;
    for (const start of [...pretrained, undefined]) {
      const method = start?.config.objective.kind ?? 'untrained';
      const started = performance.now();
      const outcomes: Outcome[] = [];
      for (let seed = 0; seed < settings.seeds; seed++) {
        const before = (methods.length * settings.seeds + seed) * settings.steps;
        const outcome = await trainOnce({ ...task, before }, start, seed);
        outcomes.push(outcome);
        onEvent({ type: 'seed', method, seed, seeds: settings.seeds, metric, value: outcome.test });
      }
      const perSeed = outcomes.map((outcome) => outcome.test);
      methods.push({
        method,
        metric,
        perSeed,
        ...(spec.targets > 1 && { perTarget: outcomes.map((outcome) => outcome.perTarget) }),
        ...summarize(perSeed),
        seconds: (performance.now() - started) / 1000,
      });
      // Chosen by validation: the model that `predict` will use is of the first method.
      kept ??= outcomes.reduce((best, outcome) =>
        isBetter(metric, outcome.valid, best.valid) ? outcome : best,
      );
    }
    const split = {
      by: labelled.splitBy,
      train: train.block.count,
      valid: valid.block.count,
      test: test.block.count,
    };
    const scores: Scores = {
      task: spec.task,
      targets: spec.columns,
      metric,
      higherIsBetter: metrics[metric].higherIsBetter,
      split,
      methods,
    };
    if (kept) await writeFinetunedRun(out, run, spec, scale, options, settings, trainer, kept);
    return await writeScores(out, scores);
  } finally {
    await trainer.release();
  }
}

function resolveSettings(config: FinetuneOptions, records: number): Settings {
  const batchSize =
    config.batch_size ?? Math.max(1, Math.min(32, 2 ** Math.floor(Math.log2(Math.max(1, records / 4)))));
  const stepsPerEpoch = Math.max(1, Math.floor(records / batchSize));
  const asked = config.epochs && Math.max(1, Math.round(config.epochs * stepsPerEpoch));
  const steps = config.steps ?? asked ?? Math.max(100, Math.min(2000, 30 * stepsPerEpoch));
  return {
    seeds: config.seeds ?? 3,
    steps,
    batchSize,
    learningRate: config.learning_rate ?? 3e-4,
    validSteps: Math.ceil(steps / 10),
  };
}

function splitParts({ block, labels, part, spec }: LabelledData): Record<keyof typeof PARTS, LabelledPart> {
  const pick = (name: keyof typeof PARTS): LabelledPart => {
    const records = Array.from(part.keys()).filter((record) => part[record] === PARTS[name]);
    if (records.length === 0) {
      throw new InputError(
        `the ${name} part has no labelled record; give more labels, another --split-column or larger fractions`,
      );
    }
    const chosen = new Float64Array(records.length * spec.targets);
    records.forEach((record, i) => {
      chosen.set(labels.subarray(record * spec.targets, (record + 1) * spec.targets), i * spec.targets);
    });
    return { block: takeRecords(block, records), labels: chosen };
  };
  return { train: pick('train'), valid: pick('valid'), test: pick('test') };
}

/** Per target, what a regression label is shifted and divided by: mean and deviation of the training labels. */
export interface LabelScale {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

function labelScale({ task, targets }: LabelSpec, labels: Float64Array): LabelScale {
  const columns = Array.from({ length: targets }, (_, target) =>
    Array.from(labels).filter((label, i) => i % targets === target && !Number.isNaN(label)),
  );
  if (task !== 'regression') return { mean: columns.map(() => 0), deviation: columns.map(() => 1) };
  const mean = columns.map(
    (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length),
  );
  const deviation = columns.map((values, target) => {
    const variance =
      values.reduce((sum, value) => sum + (value - mean[target]) ** 2, 0) / Math.max(1, values.length);
    return Math.sqrt(variance) || 1;
  });
  return { mean, deviation };
}

interface Task {
  readonly trainer: Trainer;
  readonly spec: LabelSpec;
  readonly metric: MetricName;
  readonly train: LabelledPart;
  readonly valid: LabelledPart;
  readonly test: LabelledPart;
  readonly scale: LabelScale;
  readonly settings: Settings;
  readonly buckets: readonly number[];
  readonly hooks: Hooks;
  /** Steps of all seeds and methods, and those done before this seed; milliseconds when the first began. */
  readonly total: number;
  readonly before: number;
  readonly begun: number;
}

/** One seed from a pretrained run, or from none. The seed decides the fresh parameters and the order of batches. */
async function trainOnce(task: Task, start: Run | undefined, seed: number): Promise<Outcome> {
  const { trainer, metric, settings, hooks } = task;
  const { steps, batchSize, learningRate } = settings;
  const { state, layout } = trainer;
  state.parameters.set(initializeParameters(layout, seed));
  if (start) loadEncoder(trainer, start);
  state.firstMoment.fill(0);
  state.secondMoment.fill(0);

  let best: { parameters: Float32Array; valid: number; step: number } | undefined;
  let step = 0;
  for (let epoch = 0; step < steps; epoch++) {
    for (const plan of trainingPlans(task, seed, epoch)) {
      if (step === steps) break;
      hooks.signal?.throwIfAborted();
      const batch = packBatch(task.train.block, plan.records, batchSize, plan.tokens);
      const feeds = { ...tokenFeeds(batch), ...labelFeeds(task, batch, plan) };
      const { loss, norm } = await trainer.gradient(plan.tokens, feeds);
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
        throw new LacunaError(
          `fine-tuning step ${step + 1}: the loss is not finite; try a lower --learning-rate than ${learningRate}`,
        );
      }
      const lr = learningRateAt(step, steps, Math.ceil(steps / 10), learningRate);
      await trainer.update(step + 1, lr, norm);
      step++;
      reportStep(task, { step, epoch, loss, lr });
      if (step % settings.validSteps === 0 || step === steps) {
        const { value } = await scorePart(task, task.valid);
        if (best === undefined || isBetter(metric, value, best.valid)) {
          best = { parameters: state.parameters.slice(), valid: value, step };
        }
      }
    }
  }
  if (best === undefined) throw new Error('fine-tuning validated nothing');
  state.parameters.set(best.parameters);
  // The one place where test labels are read.
  const { value, perTarget } = await scorePart(task, task.test);
  return { ...best, test: value, perTarget };
}

/** Progress over all seeds and methods: the time left is that of the whole. */
function reportStep(
  { settings, hooks, total, before, begun }: Task,
  at: { step: number; epoch: number; loss: number; lr: number },
): void {
  const seconds = (performance.now() - begun) / 1000;
  const done = before + at.step;
  hooks.onEvent?.({
    type: 'step',
    ...at,
    steps: settings.steps,
    samples_per_second: (done * settings.batchSize) / seconds,
    data_wait: 0,
    seconds_left: (seconds / done) * (total - done),
  });
}

function trainingPlans({ train, settings, buckets }: Task, seed: number, epoch: number): BatchPlan[] {
  const { batchSize } = settings;
  const dropLast = train.block.count >= batchSize;
  return epochOrder(train.block, { seed, epoch, blockIndex: 0, batchSize, buckets, dropLast });
}

/** The pretrained encoder's parameters over the fresh ones; the head stays fresh. */
function loadEncoder({ layout, parameters }: Trainer, { tensors, folder }: Run): void {
  const encoder = layout.slots.filter(({ name }) => !name.startsWith(HEAD));
  const known = Object.fromEntries(
    encoder.map(({ name }) => [name, tensors[name]]).filter(([, tensor]) => tensor),
  );
  matchParameters(encoder, known, folder);
  for (const { name } of encoder) parameters[name].data.set(known[name].data as Float32Array);
}

/** Labels and their weights for a batch; a missing label has weight 0, and so have rows that only fill it up. */
function labelFeeds({ train, spec, scale }: Task, batch: Batch, plan: BatchPlan): HostTensors {
  const { targets } = spec;
  const labels = new Float32Array(batch.size * targets);
  const weights = new Float32Array(batch.size * targets);
  plan.records.forEach((record, row) => {
    for (let target = 0; target < targets; target++) {
      const label = train.labels[record * targets + target];
      if (Number.isNaN(label)) continue;
      labels[row * targets + target] = (label - scale.mean[target]) / scale.deviation[target];
      weights[row * targets + target] = 1;
    }
  });
  const shape = [batch.size, targets];
  return {
    labels: hostTensor('float32', shape, labels),
    label_weights: hostTensor('float32', shape, weights),
  };
}

/** float64[count, outputs] in record order, regression in the label's own units. */
export async function predictBlock(
  trainer: Pick<Trainer, 'evaluate'>,
  block: TokenBlock,
  options: { spec: LabelSpec; scale: LabelScale; batchSize: number; buckets: readonly number[] },
): Promise<Float64Array> {
  const { spec, scale, batchSize, buckets } = options;
  const { outputs: width } = spec;
  const predicted = new Float64Array(block.count * width);
  const plans = epochOrder(block, { seed: 0, epoch: 0, blockIndex: 0, batchSize, buckets, dropLast: false });
  for (const { records, tokens } of plans) {
    const { outputs } = await trainer.evaluate(
      tokens,
      tokenFeeds(packBatch(block, records, batchSize, tokens)),
    );
    records.forEach((record, row) => {
      for (let i = 0; i < width; i++) {
        const value = Number(outputs.data[row * width + i]);
        predicted[record * width + i] =
          spec.task === 'regression' ? value * scale.deviation[i] + scale.mean[i] : value;
      }
    });
  }
  return predicted;
}

async function scorePart(task: Task, { block, labels }: LabelledPart) {
  const { trainer, spec, scale, settings, buckets, metric } = task;
  const outputs = await predictBlock(trainer, block, { spec, scale, batchSize: settings.batchSize, buckets });
  return scoreTargets(metric, outputs, labels, spec);
}

/** A run like any other, with a head in its checkpoint and labels.json beside it. */
async function writeFinetunedRun(
  out: string,
  run: Run,
  spec: LabelSpec,
  scale: LabelScale,
  { targets, config = {} }: Pick<FinetuneVerbOptions, 'targets' | 'config'>,
  settings: Settings,
  trainer: Trainer,
  kept: Outcome,
): Promise<void> {
  const { seeds, steps, batchSize, learningRate } = settings;
  const resolved: Config = {
    ...run.config,
    finetune: {
      ...config,
      target: [...targets],
      seeds,
      steps,
      batch_size: batchSize,
      learning_rate: learningRate,
    },
  };
  trainer.state.parameters.set(kept.parameters);
  await writeJson(runFile(out, 'tokenizer'), run.tokenizer.toJSON());
  await writeJson(runFile(out, 'labels'), { spec, scale });
  await saveCheckpoint(out, {
    step: kept.step,
    tensors: trainer.parameters,
    metadata: { epoch: 0, position: kept.step, config_hash: hashConfig({ ...resolved }), version },
  });
  await writeJson(runFile(out, 'config'), resolved);
}
