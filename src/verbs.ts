/** What Lacuna does, one function per command. Each loads only what it needs. These run where they are called. */

import type { BenchOptions } from './benchmark/bench.js';
import type { ReportOptions } from './benchmark/report.js';
import type { DemoOptions } from './demo/demo.js';
import type { EmbedOptions } from './evaluation/embed.js';
import type { ExportOptions } from './evaluation/export-run.js';
import type { FinetuneVerbOptions } from './evaluation/finetune.js';
import type { PredictOptions } from './evaluation/predict.js';
import type { ProbeVerbOptions } from './evaluation/probe.js';
import type { Hooks } from './learning/progress-event.js';
import type { InspectOptions } from './training/inspect.js';
import type { PretrainOptions } from './training/pretrain.js';

export const verbs = {
  inspect: async (options: InspectOptions, _hooks?: Hooks) =>
    (await import('./training/inspect.js')).inspect(options),
  pretrain: async (options: PretrainOptions, hooks?: Hooks) =>
    (await import('./training/pretrain.js')).pretrain(options, hooks),
  finetune: async (options: FinetuneVerbOptions, hooks?: Hooks) =>
    (await import('./evaluation/finetune.js')).finetune(options, hooks),
  probe: async (options: ProbeVerbOptions, hooks?: Hooks) =>
    (await import('./evaluation/probe.js')).probe(options, hooks),
  embed: async (options: EmbedOptions, hooks?: Hooks) =>
    (await import('./evaluation/embed.js')).embed(options, hooks),
  predict: async (options: PredictOptions, hooks?: Hooks) =>
    (await import('./evaluation/predict.js')).predict(options, hooks),
  exportRun: async (options: ExportOptions, hooks?: Hooks) =>
    (await import('./evaluation/export-run.js')).exportRun(options, hooks),
  bench: async (options: BenchOptions, hooks?: Hooks) =>
    (await import('./benchmark/bench.js')).bench(options, hooks),
  benchmarks: async (_options?: undefined, _hooks?: Hooks) =>
    (await import('./benchmark/index.js')).describeSuites(),
  report: async (options: ReportOptions, _hooks?: Hooks) =>
    (await import('./benchmark/report.js')).report(options),
  demo: async (options: DemoOptions, hooks?: Hooks) => (await import('./demo/demo.js')).demo(options, hooks),
};

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
