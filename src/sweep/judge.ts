/** What a trial is judged by: its validation loss, or labels of validation records. Test labels stay sealed. */
import { networkSettings, resolveFinetuning } from '../config/defaults.js';
import type { FinetuneOptions, ParsedConfig, ProbeOptions } from '../config/schema.js';
import type { Dimension } from '../config/search.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { encoderNetwork, LabelledTrainer } from '../finetuning/labelled-training.js';
import { encoderWork } from '../learning/model.js';
import { type Objective, objectiveNamed } from '../objectives/index.js';
import { linearProbe } from '../probes/linear-probe.js';
import { chooseCandidate } from '../probes/protocol.js';
import { openRun, type Run } from '../runs/folder.js';
import { chooseMetric, metrics } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { checkFinetuning } from '../verbs/check-finetuning.js';
import { drawsOf } from '../verbs/draws.js';
import { type RecordReading, readingOf, readLabelledFile } from '../verbs/labelled-file.js';
import type { Judge } from './record.js';

/** What was scored on validation records. */
export interface Judgement {
  readonly score: number;
  readonly metric: string;
  readonly higherIsBetter: boolean;
}

/** Who judges, with what of the configuration it needs. */
export interface JudgeOptions {
  readonly judge: Judge;
  /** The file with labels; of the validation loss, none. */
  readonly labels?: string;
  readonly config: ParsedConfig;
}

/** The columns that a judge predicts. */
export const judgedTargets = (judge: Judge, { probe, finetune }: ParsedConfig): readonly string[] =>
  (judge === 'probe' ? probe?.target : judge === 'finetune' ? finetune?.target : undefined) ?? [];

/** Throws InputError where a judge's configuration lacks what it needs or asks for more than one score. */
export function checkJudge(judge: Judge, config: ParsedConfig): void {
  if (judge === 'validation-loss') return;
  if (judgedTargets(judge, config).length === 0) {
    throw new InputError(
      `sweep.judge: ${judge} scores a label on validation records; name its column in ${judge}.target`,
    );
  }
  const own: ProbeOptions & FinetuneOptions = {
    ...(judge === 'probe' ? config.probe : config.finetune),
  } as never;
  const unfit = (
    ['splits', 'shots', 'features', 'from_scratch', 'randomize_smiles', 'self_training', 'soup'] as const
  ).find((key) => own[key] !== undefined);
  if (unfit !== undefined)
    throw new InputError(
      `${judge}.${unfit}: a sweep judges each trial by one score of all labels; leave it out`,
    );
  if (judge === 'probe' && (config.probe?.kind ?? 'linear') !== 'linear')
    throw new InputError(
      `probe.kind: a sweep judges by the linear probe, got ${config.probe?.kind}; leave it out`,
    );
}

/**
 * Throws InputError where validation losses of the trials are no measure of one thing: where what is hidden differs, or how
 * a record becomes tokens, or where the network makes its own targets.
 */
export function checkComparable(space: readonly Dimension[], config: ParsedConfig): void {
  const another = 'judge by a label instead, with sweep.judge: probe and its column in probe.target';
  for (const { key } of space) {
    if (/^(objective|tokenizer)\./.test(key)) {
      throw new InputError(
        `search.${key}: validation losses with different values of it measure different things and are no ranking; ${another}`,
      );
    }
  }
  const kind = config.objective?.kind ?? 'sma';
  const { momentum, leastRecords = 1 }: Objective = objectiveNamed(kind);
  if (momentum !== undefined) {
    throw new InputError(
      `sweep.judge: the loss of ${kind} is a distance to targets that the network makes itself, and is no ranking; ${another}`,
    );
  }
  if (leastRecords > 1 && space.some(({ key }) => key === 'training.batch_size')) {
    throw new InputError(
      `search.training.batch_size: the loss of ${kind} compares the records of a batch, so it is no ranking of batch sizes; ${another}`,
    );
  }
}

/** How well the run of a folder does on the labels of validation records. Throws InputError for data that do not fit. */
export async function judgeRun(
  folder: string,
  { labels, ...options }: JudgeOptions & { readonly labels: string },
  signal?: AbortSignal,
): Promise<Judgement> {
  const run = await openRun(folder);
  const judged = await readJudged({ ...readingOf([run]), learnedFrom: undefined }, labels, options);
  const score = options.judge === 'probe' ? probeScore : finetunedScore;
  const { metric, higherIsBetter } = judged;
  return { score: await score(run, judged, signal), metric, higherIsBetter };
}

/** Labelled records that a judge scores on their validation part. */
type Judged = Awaited<ReturnType<typeof readJudged>>;

/**
 * Reads the labelled records as a run does. Throws InputError where they do not fit the judge's configuration, or do not
 * define its metric.
 */
export async function readJudged(
  reading: RecordReading,
  labels: string,
  { judge, config }: Omit<JudgeOptions, 'labels'>,
) {
  const { format, delimiter, quote, header, encoding, decimal, missing, path } = config.data ?? {};
  const own: ProbeOptions & FinetuneOptions = {
    ...(labels === path && { format, delimiter, quote, header, encoding, decimal, missing }),
    ...(judge === 'probe' ? (config.probe as object) : config.finetune),
  };
  const { labelled } = await readLabelledFile(reading, labels, judgedTargets(judge, config), own);
  const { spec } = labelled;
  if (judge === 'probe' && spec.task === 'per-token') {
    throw new InputError(
      `${labels}: ${spec.reason}, and a probe has one embedding for each record; judge by finetune, or name another task in probe.task`,
    );
  }
  const metric = chooseMetric(spec.task, own.metric);
  drawsOf(labelled, { seeds: 1, metric });
  checkFinetuning(own, labelled);
  const { higherIsBetter } = metrics[metric];
  return { options: own, labelled, spec, parts: splitParts(labelled), metric, higherIsBetter };
}

/** The linear probe whose penalty is best on validation, scored there. */
async function probeScore(
  run: Run,
  { options, spec, parts, metric }: Judged,
  signal?: AbortSignal,
): Promise<number> {
  const engine = await openEngine({
    ...options,
    work: () => encoderWork(run.model, { passes: 1 }),
    report: () => {},
  });
  const embedder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, run.folder));
  try {
    const { train, valid } = parts;
    const features = await embedder.embed(train.records, signal);
    const held = { features: await embedder.embed(valid.records, signal), labels: valid.labels };
    const { width: dimension } = embedder;
    const rows = { count: train.records.count, dimension, features, labels: train.labels, valid: held };
    return (await chooseCandidate(linearProbe(rows, spec, engine), held, spec, metric)).score;
  } finally {
    await embedder.release();
  }
}

/** The mean over seeds of the best validation of a fine-tuning. */
async function finetunedScore(
  run: Run,
  { options, labelled, spec, parts, metric }: Judged,
  signal?: AbortSignal,
): Promise<number> {
  const settings = resolveFinetuning(options, labelled.counts.train);
  const engine = await openEngine({
    ...options,
    work: () => encoderWork(run.model, { batch: settings.batchSize, passes: 3 }),
    report: () => {},
  });
  const { seeds } = settings;
  const network = encoderNetwork({ ...run.model, ...networkSettings(settings) });
  const trainer = new LabelledTrainer(engine, network, { spec, metric, ...parts }, settings);
  try {
    let sum = 0;
    for (let seed = 0; seed < seeds; seed++)
      sum += (await trainer.train({ ...settings, start: run, seed, signal })).valid;
    return sum / seeds;
  } finally {
    await trainer.release();
  }
}
