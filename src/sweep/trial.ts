/** One trial: pretrain to some step, going on from what there is, and judge it there. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ParsedConfig } from '../config/schema.js';
import { InputError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import type { Hooks } from '../learning/progress-event.js';
import { hasConfig, readRunConfig } from '../runs/folder.js';
import { pretrain } from '../verbs/pretrain.js';
import { type Judgement, type JudgeOptions, judgeRun } from './judge.js';
import type { JudgedTrial } from './record.js';

/** What a trial is told; plain data. */
export interface TrialJob extends JudgeOptions {
  /** What is learned from. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  /** The step at which it is judged; the last by default. */
  readonly until?: number;
  readonly plugins: readonly string[];
}

/** What came of it; undefined where it was stopped before it was judged. */
export type TrialResult = (JudgedTrial & Omit<Judgement, 'score'> & { readonly hash: string }) | undefined;

/** Throws what `pretrain` and the judge throw. */
export async function runTrial(job: TrialJob, hooks: Hooks = {}): Promise<TrialResult> {
  const { data, out, until, config, plugins, judge, labels } = job;
  const started = performance.now();
  await untilFree(out);
  const { summary, stored } = await pretrainTrial({ data, out, config, until, plugins }, hooks);
  const steps = until ?? summary.steps;
  if (summary.step < steps) return undefined;
  const judged =
    judge === 'validation-loss' || labels === undefined
      ? { score: summary.val_loss, metric: 'validation loss', higherIsBetter: false }
      : await judgeRun(out, { judge, labels, config }, hooks.signal).catch((error) => {
          if (hooks.signal?.aborted) return undefined;
          throw error;
        });
  if (judged === undefined) return undefined;
  const seconds = (performance.now() - started) / 1000;
  return { ...judged, steps, val_loss: summary.val_loss, seconds, hash: stored.data.hash };
}

async function pretrainTrial(
  { config, ...options }: Pick<TrialJob, 'data' | 'out' | 'config' | 'until' | 'plugins'>,
  hooks: Hooks,
) {
  const { out } = options;
  // A run keeps its threads, whatever others go on beside it now.
  const { threads: _, ...training } = config.training ?? {};
  const asked = (await hasConfig(out)) ? { ...config, training } : config;
  const summary = await pretrain({ ...options, config: asked as ParsedConfig as never, resume: true }, hooks);
  return { summary, stored: await readRunConfig(out) };
}

/** Milliseconds that the process of a killed sweep may take to its end: it finishes its step. */
const PATIENCE = 60_000;

async function untilFree(folder: string): Promise<void> {
  for (const started = Date.now(); ; await wait(200)) {
    try {
      return await holdFolder(folder, async () => {});
    } catch (error) {
      if (!(error instanceof InputError) || Date.now() - started > PATIENCE) throw error;
    }
  }
}
