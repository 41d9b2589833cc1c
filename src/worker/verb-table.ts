/** What Lacuna does, one function per command. Each loads only what it needs. These run where they are called. */

import type { BenchOptions } from '../benchmark/bench.js';
import type { SuiteChoice } from '../benchmark/index.js';
import type { ReportOptions } from '../benchmark/report.js';
import type { DemoOptions } from '../demo/demo.js';
import type { Hooks, SharedHooks } from '../learning/progress-event.js';
import type { SweepVerbOptions } from '../sweep/sweep.js';
import type { AnomaliesOptions } from '../verbs/anomalies.js';
import type { AttributeOptions } from '../verbs/attribute.js';
import type { ClustersOptions } from '../verbs/clusters.js';
import type { CompareOptions } from '../verbs/compare.js';
import type { DuplicatesOptions } from '../verbs/duplicates.js';
import type { EmbedOptions } from '../verbs/embed.js';
import type { ExportOptions } from '../verbs/export.js';
import type { FinetuneVerbOptions } from '../verbs/finetune.js';
import type { FitVerbOptions } from '../verbs/fit.js';
import type { InspectOptions } from '../verbs/inspect.js';
import type { MapOptions } from '../verbs/map.js';
import type { NeighborsOptions } from '../verbs/neighbors.js';
import type { PredictOptions } from '../verbs/predict.js';
import type { PretrainOptions } from '../verbs/pretrain.js';
import type { ProbeVerbOptions } from '../verbs/probe.js';
import type { RankOptions } from '../verbs/rank.js';
import type { SelectOptions } from '../verbs/select.js';
import type { ServeOptions } from '../verbs/serve.js';
import type { TrajectoriesOptions } from '../verbs/trajectories.js';
import type { VerifyOptions } from '../verbs/verify.js';
import type { WatchOptions } from '../verbs/watch.js';

export const verbs = {
  inspect: async (options: InspectOptions, _hooks?: Hooks) =>
    (await import('../verbs/inspect.js')).inspect(options),
  pretrain: async (options: PretrainOptions, hooks?: SharedHooks) =>
    (await import('../verbs/pretrain.js')).pretrain(options, hooks),
  fit: async (options: FitVerbOptions, hooks?: Hooks) =>
    (await import('../verbs/fit.js')).fit(options, hooks),
  finetune: async (options: FinetuneVerbOptions, hooks?: SharedHooks) =>
    (await import('../verbs/finetune.js')).finetune(options, hooks),
  probe: async (options: ProbeVerbOptions, hooks?: Hooks) =>
    (await import('../verbs/probe.js')).probe(options, hooks),
  rank: async (options: RankOptions, hooks?: Hooks) =>
    (await import('../verbs/rank.js')).rank(options, hooks),
  attribute: async (options: AttributeOptions, hooks?: Hooks) =>
    (await import('../verbs/attribute.js')).attribute(options, hooks),
  embed: async (options: EmbedOptions, hooks?: Hooks) =>
    (await import('../verbs/embed.js')).embed(options, hooks),
  predict: async (options: PredictOptions, hooks?: Hooks) =>
    (await import('../verbs/predict.js')).predict(options, hooks),
  compare: async (options: CompareOptions, _hooks?: Hooks) =>
    (await import('../verbs/compare.js')).compare(options),
  map: async (options: MapOptions, hooks?: Hooks) => (await import('../verbs/map.js')).map(options, hooks),
  trajectories: async (options: TrajectoriesOptions, hooks?: Hooks) =>
    (await import('../verbs/trajectories.js')).trajectories(options, hooks),
  watch: async (options: WatchOptions, hooks?: Hooks) =>
    (await import('../verbs/watch.js')).watch(options, hooks),
  neighbors: async (options: NeighborsOptions, hooks?: Hooks) =>
    (await import('../verbs/neighbors.js')).neighbors(options, hooks),
  anomalies: async (options: AnomaliesOptions, hooks?: Hooks) =>
    (await import('../verbs/anomalies.js')).anomalies(options, hooks),
  duplicates: async (options: DuplicatesOptions, hooks?: Hooks) =>
    (await import('../verbs/duplicates.js')).duplicates(options, hooks),
  clusters: async (options: ClustersOptions, hooks?: Hooks) =>
    (await import('../verbs/clusters.js')).clusters(options, hooks),
  select: async (options: SelectOptions, hooks?: Hooks) =>
    (await import('../verbs/select.js')).select(options, hooks),
  serve: async (options: ServeOptions, hooks?: Hooks) =>
    (await import('../verbs/serve.js')).serve(options, hooks),
  exportRun: async (options: ExportOptions, hooks?: Hooks) =>
    (await import('../verbs/export.js')).exportRun(options, hooks),
  sweep: async (options: SweepVerbOptions, hooks?: Hooks) =>
    (await import('../sweep/sweep.js')).sweep(options, hooks),
  verify: async (options: VerifyOptions, hooks?: Hooks) =>
    (await import('../verbs/verify.js')).verify(options, hooks),
  bench: async (options: BenchOptions, hooks?: Hooks) =>
    (await import('../benchmark/bench.js')).bench(options, hooks),
  benchmarks: async (choice?: Partial<SuiteChoice>, _hooks?: Hooks) =>
    (await import('../benchmark/index.js')).describeSuites(choice),
  report: async (options: ReportOptions, _hooks?: Hooks) =>
    (await import('../benchmark/report.js')).report(options),
  demo: async (options: DemoOptions, hooks?: Hooks) => (await import('../demo/demo.js')).demo(options, hooks),
};

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
