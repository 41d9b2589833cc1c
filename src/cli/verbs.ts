/** What the commands ask of the library, and where they find it. */

import type { Interval } from '../evaluation/statistics.js';
import type { FinetuneOptions, ProbeOptions, ReadingOptions, UserConfig } from '../training/config-schema.js';
import type { Inspection } from '../training/inspect.js';
import type { Hooks } from '../training/progress-event.js';

export type { Inspection } from '../training/inspect.js';

export interface PretrainSummary {
  readonly run: string;
  /** Stopped by the signal: `checkpoint` is where to go on from. */
  readonly interrupted: boolean;
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly parameters: number;
  /** Records learned from, and records that could not be read. */
  readonly rows: number;
  readonly rejected: number;
  readonly loss: number;
  readonly val_loss: number;
  readonly val_loss_marginal: number;
  readonly checkpoint: string;
  readonly seconds: number;
}

/** One method's test scores over its seeds. */
export interface MethodScores extends Interval {
  readonly method: string;
  readonly metric: string;
  readonly perSeed: readonly number[];
  /** Training and scoring of all seeds. */
  readonly seconds: number;
}

export interface Scores {
  readonly task: string;
  readonly metric: string;
  readonly higherIsBetter: boolean;
  /** Where the split comes from and how many labelled records each part has. */
  readonly split: {
    readonly by: string;
    readonly train: number;
    readonly valid: number;
    readonly test: number;
  };
  readonly methods: readonly MethodScores[];
  /** The scores.json that was written, if one was. */
  readonly file?: string;
}

/** A file of one row per record, in input order. */
export interface Written {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
}

export interface DemoSummary {
  readonly report: string;
  readonly conclusion: string;
  readonly scores: readonly MethodScores[];
  readonly seconds: number;
}

export interface ExportSummary {
  readonly files: readonly string[];
  /** Largest difference between the run's embeddings and the exported encoder's, over `rows` real records. */
  readonly maximumDifference: number;
  readonly rows: number;
}

export interface Verbs {
  pretrain(
    options: { data: string; out: string; config: UserConfig; resume?: boolean },
    hooks: Hooks,
  ): Promise<PretrainSummary>;
  finetune(
    options: { run: string; data: string; targets: string[]; out: string; config: FinetuneOptions },
    hooks: Hooks,
  ): Promise<Scores>;
  probe(
    options: { run: string; data: string; targets: string[]; config: ProbeOptions },
    hooks: Hooks,
  ): Promise<Scores>;
  embed(
    options: { run: string; data: string; out: string; config: ReadingOptions },
    hooks: Hooks,
  ): Promise<Written & { dimension: number }>;
  predict(
    options: { run: string; data: string; out: string; config: ReadingOptions },
    hooks: Hooks,
  ): Promise<Written>;
  exportRun(options: { run: string; out: string }, hooks: Hooks): Promise<ExportSummary>;
  inspect(options: { data: string; config: UserConfig }): Promise<Inspection>;
  demo(options: { out: string; seed: number; quick?: boolean }, hooks: Hooks): Promise<DemoSummary>;
}

/** The library itself, loaded only when a command runs, so that help and usage errors do not wait for it. */
export async function loadVerbs(): Promise<Verbs> {
  const library = new URL('../index.js', import.meta.url).href;
  return import(library);
}
