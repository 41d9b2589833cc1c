/**
 * Lacuna as a library: the commands as functions. Each runs in a worker thread; `signal` asks it to stop, and
 * `onEvent` hears of its progress. They throw InputError for bad input and LacunaError for other expected failures.
 */
import type { Hooks } from './learning/progress-event.js';
import type { LoadOptions, Model } from './models/load.js';
import { inBackground, type PluginOptions } from './worker/background.js';
import type { Verbs as VerbTable } from './worker/verb-table.js';

/** Each verb, with plug-ins beside its own options. */
type Verbs = {
  [V in keyof VerbTable]: (
    options: Parameters<VerbTable[V]>[0] & PluginOptions,
    hooks?: Hooks,
  ) => ReturnType<VerbTable[V]>;
};

/** What is in a file, and how it would be learned from. */
export const inspect: Verbs['inspect'] = (options, hooks) => inBackground('inspect', options, hooks);
/** Learns from a file without labels. */
export const pretrain: Verbs['pretrain'] = (options, hooks) => inBackground('pretrain', options, hooks);
/** Predicts labels by simple models, an encoder beside them, and ensembles. */
export const fit: Verbs['fit'] = (options, hooks) => inBackground('fit', options, hooks);
/** Trains a pretrained encoder on labels, beside the same encoder untrained. */
export const finetune: Verbs['finetune'] = (options, hooks) => inBackground('finetune', options, hooks);
/** Scores a frozen encoder on labels, beside the same encoder untrained. */
export const probe: Verbs['probe'] = (options, hooks) => inBackground('probe', options, hooks);
/** Which of several pretrained runs promises most on labels, without fine-tuning any. */
export const rank: Verbs['rank'] = (options, hooks) => inBackground('rank', options, hooks);
/** Writes which training records a prediction rests on. */
export const attribute: Verbs['attribute'] = (options, hooks) => inBackground('attribute', options, hooks);
/** Writes the embedding of every record. */
export const embed: Verbs['embed'] = (options, hooks) => inBackground('embed', options, hooks);
/** Writes the predictions of a fine-tuned run. */
export const predict: Verbs['predict'] = (options, hooks) => inBackground('predict', options, hooks);
/** Runs beside each other as one page. */
export const compare: Verbs['compare'] = (options, hooks) => inBackground('compare', options, hooks);
/** The records of a file on a plane, as one page. */
export const map: Verbs['map'] = (options, hooks) => inBackground('map', options, hooks);
/** Which tokens a run learned when, and which it came to predict worse, as one page. */
export const trajectories: Verbs['trajectories'] = (options, hooks) =>
  inBackground('trajectories', options, hooks);
/** Runs on a live page until the signal aborts. */
export const watch: Verbs['watch'] = (options, hooks) => inBackground('watch', options, hooks);
/** Writes for every record those that a model finds most alike. */
export const neighbors: Verbs['neighbors'] = (options, hooks) => inBackground('neighbors', options, hooks);
/** Writes how unusual every record is to a model, and which part of it is to blame. */
export const anomalies: Verbs['anomalies'] = (options, hooks) => inBackground('anomalies', options, hooks);
/** Writes the pairs of records that a model can hardly tell apart. */
export const duplicates: Verbs['duplicates'] = (options, hooks) => inBackground('duplicates', options, hooks);
/** Writes the cluster of every record, and tells what sets each apart. */
export const clusters: Verbs['clusters'] = (options, hooks) => inBackground('clusters', options, hooks);
/** Writes the records of a large file that are worth learning from. */
export const select: Verbs['select'] = (options, hooks) => inBackground('select', options, hooks);
/** Answers HTTP requests with a model until the signal aborts. */
export const serve: Verbs['serve'] = (options, hooks) => inBackground('serve', options, hooks);
/** Writes a run as files that other tools open. */
export const exportRun: Verbs['exportRun'] = (options, hooks) => inBackground('exportRun', options, hooks);
/** Looks at what a run, an export, a fit or a benchmark promises of itself. */
export const verify: Verbs['verify'] = (options, hooks) => inBackground('verify', options, hooks);
/** The whole story on real molecules. */
export const demo: Verbs['demo'] = (options, hooks) => inBackground('demo', options, hooks);

/** Pretrains with several settings, judged on validation records, and says which keys mattered. */
export const sweep: Verbs['sweep'] = (options, hooks) => inBackground('sweep', options, hooks);

/** A model in memory, which embeds, predicts, compares and judges plain objects or texts. */
export const load = async (
  folder: string,
  options?: LoadOptions,
  hooks?: Pick<Hooks, 'onEvent'>,
): Promise<Model> => (await import('./models/load.js')).load(folder, options, hooks);

/** Runs a benchmark suite, or what is missing of it. */
export const bench: Verbs['bench'] = (options, hooks) => inBackground('bench', options, hooks);
/** Fills the tables and figures of a page from the result files of benchmarks. */
export const report: Verbs['report'] = (options, hooks) => inBackground('report', options, hooks);
/** The benchmark suites in words. */
export const benchmarks: VerbTable['benchmarks'] = (choice) => inBackground('benchmarks', choice);

export type { BenchOptions, BenchSummary } from './benchmark/bench.js';
export type { SuiteChoice, SuiteDescription } from './benchmark/index.js';
export type { ReportOptions, ReportSummary } from './benchmark/report.js';
export type { ReadingOptions, UserConfig } from './config/schema.js';
export type { SearchedValues, Settings, SettingValue, SweepConfig } from './config/search.js';
export type { OnUnknown } from './datasets/encoding-losses.js';
export { InputError, LacunaError } from './errors.js';
export type { TableCell } from './files/table-files.js';
export type { Difference, FitRow, Score } from './fit/select.js';
export type { Hooks, ProgressEvent, SeedEvent, StepEvent, ValidEvent } from './learning/progress-event.js';
export type { Anomaly, BlamedToken } from './models/anomaly-detector.js';
export type { CallOptions, FoundNeighbor, LoadOptions, Model, Prediction } from './models/load.js';
export type { OpenModelOptions } from './models/open-model.js';
export type { Trait } from './models/set-apart.js';
export type { TokenKind, TokenTrajectories, Trend } from './models/token-trajectories.js';
export type { Plugin, ReaderPlugin } from './plugins.js';
export type { Domains, Protocol, Represented } from './probes/protocol.js';
export type { Schema } from './records/cells/schema.js';
export type { MemoryRecord } from './records/memory-records.js';
export type { BadRecord } from './records/record-batch.js';
export type { LearnedCount } from './runs/learned-records.js';
export type { MethodScores, ScoreDifference, Scores } from './runs/scores.js';
export type { Interval } from './scoring/statistics.js';
export type { LabelledThreshold } from './search/duplicates.js';
export type { Approximation } from './search/vector-index.js';
export type { ServiceLimits } from './serving/service.js';
export type { Judge, JudgedTrial, Trial } from './sweep/record.js';
export type { SweepSummary, SweepVerbOptions } from './sweep/sweep.js';
export type { AnomaliesOptions, AnomaliesSummary } from './verbs/anomalies.js';
export type { AttributeOptions, AttributeSummary } from './verbs/attribute.js';
export type { ClusterSummary, ClustersOptions, ClustersSummary } from './verbs/clusters.js';
export type { CompareOptions, CompareSummary } from './verbs/compare.js';
export type { DuplicatesOptions, DuplicatesSummary } from './verbs/duplicates.js';
export type { EmbedOptions, EmbedSummary } from './verbs/embed.js';
export type { ExportOptions, ExportSummary } from './verbs/export.js';
export type { FinetuneVerbOptions } from './verbs/finetune.js';
export type { FitSummary, FitVerbOptions } from './verbs/fit.js';
export type { Inspection, InspectOptions } from './verbs/inspect.js';
export type { MapOptions, MapSummary } from './verbs/map.js';
export type { NeighborsOptions, NeighborsSummary } from './verbs/neighbors.js';
export type { PredictOptions, PredictSummary } from './verbs/predict.js';
export type { PretrainOptions, PretrainSummary } from './verbs/pretrain.js';
export type { ProbeVerbOptions } from './verbs/probe.js';
export type { RankedRun, RankOptions, RankSummary } from './verbs/rank.js';
export type { Retrieval, RetrievalScore } from './verbs/retrieval.js';
export type { SelectOptions, SelectSummary } from './verbs/select.js';
export type { ServeOptions, ServeSummary } from './verbs/serve.js';
export type { Shard } from './verbs/shard.js';
export type { TrajectoriesOptions, TrajectoriesSummary } from './verbs/trajectories.js';
export type { VerifyOptions, VerifySummary } from './verbs/verify.js';
export type { WatchOptions, WatchSummary } from './verbs/watch.js';
export type { Check, Verdict } from './verification/checks.js';
export { version } from './version.js';
export type { PluginOptions } from './worker/background.js';
