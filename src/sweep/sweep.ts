/**
 * The verb `sweep`: pretraining with several settings, judged on validation records alone. The main path, top to bottom: which
 * settings, check them all, run and judge trial by trial, each kept when it is done; then the table, the picture and the best.
 */
import { join } from 'node:path';
import type { ParsedConfig } from '../config/schema.js';
import { parseSweep, type Settings, type SweepConfig, withSettings } from '../config/search.js';
import { defaultThreads } from '../engine/node.js';
import { InputError, LacunaError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { holdFolder } from '../files/hold-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { reportPage } from '../report/page.js';
import { sweepFile } from '../runs/folder.js';
import { checksum } from '../sources/checksum.js';
import { inputFiles } from '../sources/data-files.js';
import { openData } from '../verbs/open-data.js';
import { isOfShard, type Shard, shardFolder } from '../verbs/shard.js';
import { resolveTrials } from './check-trials.js';
import { rungSizes } from './halving.js';
import { keyImportance } from './importance.js';
import { checkComparable, checkJudge, judgedTargets } from './judge.js';
import { keptTrials, type Measure } from './kept-trials.js';
import { planTrials, REDUCTION } from './plan-trials.js';
import { type Judge, type SweepRecord, type Trial, writeRecord } from './record.js';
import { sweepPage } from './sweep-page.js';
import type { TrialJob, TrialResult } from './trial.js';
import { inProcess, isTemporary } from './trial-process.js';

/** What `sweep` is given. */
export interface SweepVerbOptions {
  /** That of the runs, with what is searched, how, and by what it is judged. */
  readonly config: SweepConfig;
  /** Folder of the trials, the table and the picture. What is there and was begun alike is gone on with. */
  readonly out: string;
  /** Trials at a time, each in a process with its share of the processor; 1 by default. */
  readonly parallel?: number;
  /** Plug-ins that are loaded already. */
  readonly plugins?: readonly string[];
  /**
   * Only every n-th trial, with halving no further than the first rung, in a folder of its own within `out`, where a call
   * without it finds and joins them.
   */
  readonly shard?: Shard;
}

/** What `sweep` did. */
export interface SweepSummary {
  readonly out: string;
  /** sweep.json and the page. */
  readonly files: readonly string[];
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly judge: Judge;
  readonly targets: readonly string[];
  readonly data: string;
  /** By their numbers. */
  readonly trials: readonly Trial[];
  readonly best?: Trial;
  /** The command to go on with from the best, as words. */
  readonly next?: readonly string[];
  readonly interrupted: boolean;
}

/** Runs a trial; a process of its own does, and a test may in its own. */
export type RunTrial = (job: TrialJob, hooks: Hooks) => Promise<TrialResult>;

/**
 * Runs what is missing of a sweep. A trial that fails is kept with its message. Throws InputError for a configuration in
 * which a key is wrong or validation losses would be no ranking, for a folder of another sweep and for data that changed;
 * LacunaError where all trials failed.
 */
export async function sweep(
  options: SweepVerbOptions,
  hooks: Hooks = {},
  run: RunTrial = inProcess,
): Promise<SweepSummary> {
  const out = shardFolder(options.out, options.shard);
  return holdFolder(out, () => sweepInto({ ...options, out }, options.out, hooks, run));
}

async function sweepInto(
  options: SweepVerbOptions,
  /** The folder of the whole sweep, where `out` is that of a part. */
  whole: string,
  { signal, onEvent = () => {} }: Hooks,
  run: RunTrial,
): Promise<SweepSummary> {
  const { out, parallel = 1, shard } = options;
  const { data, given, how, space, judge, labels, targets, rungs, settings, config, configs, plugins } =
    await planSweep(options);
  const resolved = await resolveTrials(data, configs, { judge, labels });
  const hashes = () => hashesOf({ data, labels, judge, config: given });
  const begun = await hashes();
  const record = { data, config: { ...config, sweep: how }, space, judge, rungs, ...begun };
  const { trials, measure } = await keptTrials({ out, whole }, record, settings, resolved);
  const best = () => bestTrial(trials, rungs, measure);
  const write = () => writeRecord(out, { ...record, ...measure, trials, best: best()?.number });
  await write();

  const threads = Math.max(1, Math.floor(defaultThreads() / parallel));
  const sizes = rungSizes(trials.length, rungs.length, how.reduction ?? REDUCTION);
  const asked = config.training?.threads ?? threads;
  const plan = { trials, rungs, sizes, parallel, threads: asked, judge, how };
  onEvent({ type: 'info', message: describePlan(plan) });
  for (const message of forewarnings(trials, space, judge, given)) onEvent({ type: 'warning', message });

  const tell = trialTeller(onEvent);
  const runOne = async (trial: Trial, rung: number): Promise<void> => {
    const index = trial.number - 1;
    const context = `trial ${trial.number} of ${trials.length}`;
    const job: TrialJob = {
      data,
      out: join(out, trial.run),
      until: rungs[rung] ?? undefined,
      judge,
      ...(labels !== undefined && { labels }),
      config: withThreads(configs[index] as ParsedConfig, threads),
      plugins,
    };
    const result = await run(job, { signal, onEvent: tell(context) }).catch((error: unknown) => {
      if (!(error instanceof LacunaError)) throw error;
      return error;
    });
    if (result === undefined) return;
    const now = result instanceof LacunaError ? await hashes() : { ...begun, hash: result.hash };
    if (now.hash !== begun.hash || now.labelsHash !== begun.labelsHash)
      throw new InputError(
        `${now.hash === begun.hash ? labels : data}: changed while the trials ran; bring it back, or begin a new sweep with another --out`,
      );
    trials[index] = afterRun(trial, result);
    const { failure } = trials[index];
    if (failure !== undefined || result instanceof LacunaError) {
      onEvent({ type: 'warning', message: `${context} failed: ${failure}` });
    } else {
      const { metric, higherIsBetter, score, steps, seconds } = result;
      Object.assign(measure, { metric, higherIsBetter });
      const { number, judged } = best()!;
      onEvent({
        type: 'info',
        message: `${context}: ${metric} ${shown(score)} after ${steps} steps, ${seconds.toFixed(0)} s (best: ${shown(judged.at(-1)!.score)} of trial ${number}); ${describeSettings(trial.settings)}`,
      });
    }
    await write();
  };

  for (const rung of rungs.keys()) {
    if (signal?.aborted || (shard && rung > 0)) break;
    const chosen =
      rung === 0
        ? trials.filter((_, index) => isOfShard(index, shard))
        : rankedTrials(trials, rung - 1, measure).slice(0, sizes[rung]);
    const missing = chosen.filter(({ judged, failure }) => judged.length <= rung && failure === undefined);
    await inParallel(missing, parallel, signal, (trial) => runOne(trial, rung));
  }

  const winner = best();
  const scored = rankedTrials(trials, 0, measure).map((trial) => ({
    settings: trial.settings,
    score: trial.judged[0].score,
  }));
  const importance = winner && keyImportance(space, scored);
  await writeRecord(out, { ...record, ...measure, trials, best: winner?.number, importance });
  const summary: SweepSummary = {
    out,
    files: [sweepFile(out)],
    metric: measure.metric ?? 'validation loss',
    higherIsBetter: measure.higherIsBetter ?? false,
    judge,
    targets,
    data: how.labels ?? data,
    trials,
    interrupted: signal?.aborted === true,
  };
  if (shard) return summary;
  if (winner === undefined) {
    if (summary.interrupted) return summary;
    throw new LacunaError(`all ${trials.length} trials failed, the first with: ${trials[0].failure}`);
  }
  const decided = { ...summary, best: winner, next: nextCommand(join(out, winner.run), summary) };
  const page = join(out, 'sweep.html');
  const text = reportPage(await sweepPage({ ...decided, space, importance }));
  await writeFileAtomically(page, [new TextEncoder().encode(text)]);
  return { ...decided, files: [...summary.files, page] };
}

/** What a sweep will try and how, checked as far as it can be without its data. Throws InputError for what does not fit. */
async function planSweep({ config: asked, out, parallel = 1, plugins: loaded = [] }: SweepVerbOptions) {
  const { space, config: parsed } = parseSweep(asked);
  const { sweep: how = {}, plugins: named = [], ...given } = parsed;
  if (!Number.isInteger(parallel) || parallel < 1)
    throw new InputError(`parallel: expected a whole number of at least 1, got ${parallel}`);
  const data = given.data?.path;
  if (data === undefined) throw new InputError('no data: name the file to learn from in data.path');
  await refuseOverwriteFolder(await inputFiles(data, given.data?.format), out);
  const judge = how.judge ?? 'validation-loss';
  checkJudge(judge, given);
  if (judge === 'validation-loss') checkComparable(space, given);
  const { rungs, settings } = planTrials(space, how, given);
  const targets = judgedTargets(judge, given);
  const config = withoutTargets(given, targets);
  return {
    data,
    given,
    how,
    space,
    judge,
    labels: judge === 'validation-loss' ? undefined : (how.labels ?? data),
    targets,
    rungs,
    settings,
    config,
    /** That of each trial, or why it can have none. */
    configs: settings.map((own) => orRefusal(() => withSettings(config, own))),
    plugins: [...new Set([...loaded, ...named])],
  };
}

/** What the data are known by, and the labels where they are in another file. Throws InputError where one cannot be read. */
async function hashesOf({
  data,
  labels,
  judge,
  config,
}: {
  readonly data: string;
  readonly labels?: string;
  readonly judge: Judge;
  readonly config: ParsedConfig;
}): Promise<Pick<SweepRecord, 'labelsHash'> & { readonly hash: string }> {
  const hash = await checksum(await openData(data, config.data ?? {}));
  if (labels === undefined || labels === data) return { hash };
  const reading = (judge === 'probe' ? config.probe : config.finetune) ?? {};
  return { hash, labelsHash: await checksum(await openData(labels, reading)) };
}

/** The trials that were judged on a rung, the best first. */
function rankedTrials(trials: readonly Trial[], rung: number, { higherIsBetter }: Measure): Trial[] {
  const isBetter = (a: number, b: number) => (higherIsBetter ? a > b : a < b);
  return trials
    .filter(({ judged, failure }) => judged.length > rung && failure === undefined)
    .toSorted((a, b) => {
      const [x, y] = [a.judged[rung].score, b.judged[rung].score];
      return isBetter(x, y) ? -1 : isBetter(y, x) ? 1 : a.number - b.number;
    });
}

/** The best of those that came furthest. */
const bestTrial = (trials: readonly Trial[], rungs: SweepRecord['rungs'], measure: Measure) =>
  rungs.map((_, rung) => rankedTrials(trials, rung, measure)[0]).findLast((trial) => trial !== undefined);

const ROUGHLY =
  'so validation losses are of different tokens and rank trials roughly; a label as judge (sweep.judge: probe) ranks them by one measure';
/** Keys by which the masks of validation are drawn. */
const DRAWN: readonly string[] = ['training.seed', 'training.batch_size'];

/** What to know before the first trial: the first that cannot be run, and a judge that ranks roughly. */
function forewarnings(
  trials: readonly Trial[],
  space: SweepRecord['space'],
  judge: Judge,
  { objective }: ParsedConfig,
): string[] {
  const warnings: string[] = [];
  const unfit = trials.find(({ failure, judged }) => failure !== undefined && judged.length === 0);
  if (unfit)
    warnings.push(
      `trial ${unfit.number} of ${trials.length} is left out: ${unfit.failure}; ${describeSettings(unfit.settings)}`,
    );
  if (judge === 'validation-loss' && (objective?.kind ?? 'sma') === 'sma')
    warnings.push(`sma hides what the attention of each trial says, ${ROUGHLY}`);
  const drawn = space.map(({ key }) => key).filter((key) => DRAWN.includes(key));
  if (judge === 'validation-loss' && drawn.length > 0)
    warnings.push(`what is hidden of validation records is drawn by ${drawn.join(' and ')}, ${ROUGHLY}`);
  return warnings;
}

/** Passes on what trials tell: their steps with `context`, and each warning of their data once. */
function trialTeller(onEvent: NonNullable<Hooks['onEvent']>): (context: string) => Hooks['onEvent'] {
  const warned = new Set<string>();
  let stepped = false;
  return (context) => (event) => {
    if (event.type === 'step') {
      stepped = true;
      onEvent({ ...event, context });
    }
    // What is said before the first step is of the data; what is said of a trial later, its run keeps.
    if (event.type !== 'warning' || stepped || warned.has(event.message)) return;
    warned.add(event.message);
    onEvent(event);
  };
}

/** A trial with one more run, which was judged or failed. */
function afterRun(trial: Trial, result: NonNullable<TrialResult> | LacunaError): Trial {
  if (result instanceof LacunaError) {
    return { ...trial, failure: result.message, ...(isTemporary(result) && { temporary: true }) };
  }
  const { metric, higherIsBetter: _, hash: _hash, ...judged } = result;
  if (!Number.isFinite(judged.score)) return { ...trial, failure: `its ${metric} is not a number` };
  return { ...trial, judged: [...trial.judged, judged] };
}

/** What comes after a sweep: the test, once, of the best; without labels, its embeddings. */
function nextCommand(
  run: string,
  { judge, data, targets }: Pick<SweepSummary, 'judge' | 'data' | 'targets'>,
): string[] {
  if (judge === 'validation-loss') return ['embed', run, data, '--out', `${run}.parquet`];
  const target = ['--target', targets.join(',')];
  return judge === 'probe'
    ? ['probe', run, data, ...target]
    : ['finetune', run, data, ...target, '--out', `${run}-finetuned`];
}

/** What the judge predicts is nothing to learn from. */
function withoutTargets(config: ParsedConfig, targets: readonly string[]): ParsedConfig {
  const { data = {}, training = {} } = config;
  if (targets.length === 0 || data.columns || training.from !== undefined) return config;
  return { ...config, data: { ...data, ignore: [...new Set([...(data.ignore ?? []), ...targets])] } };
}

/** The same with the threads of one of several processes, where the configuration says nothing. */
const withThreads = (
  { training, probe, finetune, ...config }: ParsedConfig,
  threads: number,
): ParsedConfig => ({
  ...config,
  training: { threads, ...training },
  ...(probe && { probe: { threads, ...probe } }),
  ...(finetune && { finetune: { threads, ...finetune } }),
});

function orRefusal<T>(make: () => T): T | InputError {
  try {
    return make();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

/** Works on some at a time, in their order; none is begun after the signal, nor after one that throws. */
async function inParallel<T>(
  all: readonly T[],
  parallel: number,
  signal: AbortSignal | undefined,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const queue = all.values();
  let failed = false;
  const worker = async () => {
    for (const one of queue) {
      if (signal?.aborted || failed) return;
      await work(one).catch((error) => {
        failed = true;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: parallel }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function describePlan({
  trials,
  rungs,
  sizes,
  parallel,
  threads,
  judge,
  how,
}: {
  trials: readonly Trial[];
  rungs: readonly (number | null)[];
  sizes: readonly number[];
  parallel: number;
  threads: number;
  judge: Judge;
  how: NonNullable<ParsedConfig['sweep']>;
}): string {
  const done = trials.filter(({ judged }) => judged.length > 0).length;
  const refused = trials.filter(({ failure }) => failure !== undefined).length;
  const rounds = rungs.map((steps, rung) => `${sizes[rung]} to ${steps} steps`).join(', ');
  return [
    `${how.method ?? 'random'}: ${trials.length} trials${rungs.length > 1 ? ` (${rounds})` : ''}, judged by ${judge} on validation records`,
    `${parallel} at a time with ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    ...(done > 0 ? [`${done} begun before`] : []),
    ...(refused > 0 ? [`${refused} failed or cannot be run`] : []),
  ].join('; ');
}

/** `training.learning_rate 0.001, objective.masking_ratio 0.3` */
const describeSettings = (settings: Settings): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');

const shown = (value: number): string => String(Number(value.toPrecision(4)));
