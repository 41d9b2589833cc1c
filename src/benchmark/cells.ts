/** Cells: one method on one task with one seed, kept as a file under a key of all that it is computed from. */
import { basename, dirname, join } from 'node:path';
import { readListed } from '../files/manifest.js';
import { type Cell, cellSchema } from '../report/results.js';
import type { Run } from '../runs/folder.js';
import { isBetter } from '../scoring/metrics.js';
import { hashOf, hashText } from './files.js';
import { measured } from './measured.js';
import { changed } from './pretrained-encoders.js';
import type { OpenSession } from './session.js';
import type { BenchmarkTask, Choice, DataFolders, Fitted, Method, SplitTask } from './suite.js';

/** One more whenever a method or an encoder gives other scores with the same settings: cells of before are not kept. */
const REVISION = 2;

/** Bootstrap replicates of each test score. */
const RESAMPLES = 200;

/** A task's folder under `out`, which holds a folder for each method and what the results say of the task. */
export const taskFolder = (out: string, suite: string, task: string): string =>
  join(out, 'cells', suite, task);

const fileName = (method: string) => method.replaceAll(/[^a-z0-9.=]+/gi, '-');

export const cellPath = (folder: string, method: Method, seed: number): string =>
  join(folder, fileName(method.name), `${seed}.json`);

/** One task for each of its split columns, whose seeds take turns. */
export const splitTasks = (task: BenchmarkTask): readonly SplitTask[] =>
  [task.splitColumn].flat().map((splitColumn) => ({ ...task, splitColumn }));

/** A method's seeds: one where chance plays no part and all have one split. */
export const seedsOf = (task: BenchmarkTask, method: Method): number =>
  method.random || Array.isArray(task.splitColumn) ? task.seeds : 1;

/** Hashes of a task's labelled data, and of the data that its tokenizer is fitted on. */
export interface TaskHashes {
  readonly labelled: string;
  readonly unlabelled: string;
}

export async function taskHashes(task: BenchmarkTask, folders: DataFolders): Promise<TaskHashes> {
  const { path } = await task.dataset.open(folders);
  const unlabelled = await task.pretraining.dataset.open(folders);
  return { labelled: await hashOf(path), unlabelled: await hashOf(unlabelled.path) };
}

/** A hash of everything that a cell is computed from, and of nothing else. */
export function cellKey(
  task: SplitTask,
  hashes: TaskHashes,
  method: Method,
  { seed, budget }: { seed: number; budget: number },
): string {
  const { name, targets, metric, splitColumn, maskColumn, pretraining, finetuning } = task;
  const { data, tokenizer, encoder } = pretraining.config;
  const { choices: _, ...trained } = finetuning;
  const used = { encoder, finetuning: trained };
  return hashText(
    JSON.stringify({
      revision: REVISION,
      task: { name, targets, kind: task.task, metric, splitColumn, maskColumn, dataHash: hashes.labelled },
      tokens: { unlabelledHash: hashes.unlabelled, data, tokenizer },
      method: method.config,
      choices: method.choices(task),
      uses: method.uses.map((part) => [part, used[part]]),
      ...(method.pretraining && {
        pretraining: changed(pretraining.config, method.pretraining),
        pretrainingSeeds: task.pretrainingSeeds,
        ...(budget !== 1 && { budget }),
      }),
      seed,
      resamples: RESAMPLES,
    }),
  );
}

/** The cell in a file; undefined where there is none, it is damaged, or it was computed from something else. */
export async function readCell(path: string, key: string): Promise<Cell | undefined> {
  try {
    const bytes = await readListed(dirname(path), basename(path));
    const cell = cellSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    return cell.key === key ? cell : undefined;
  } catch {
    return undefined;
  }
}

/** The settings among a method's choices that a cell was computed with. */
export const chosenSettings = (method: Method, task: BenchmarkTask, { chosen }: Cell): Choice | undefined =>
  method
    .choices(task)
    .find((choice) => Object.entries(choice).every(([name, value]) => chosen[name] === value));

/** Fits with each of the settings, or with the one chosen before, and scores the one that is best on validation. */
export async function computeCell(
  session: OpenSession,
  method: Method,
  { seed, key, choice }: { seed: number; key: string; choice?: Choice },
): Promise<Cell> {
  const { task, hooks } = session;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  hooks.onEvent?.({ type: 'info', message: `${task.name} · ${method.name} · seed ${seed}` });
  let best: { fitted: Fitted; choice: Choice; seconds: number } | undefined;
  let total = 0;
  let runs: readonly Run[] = [];
  session.takeUsed();
  for (const tried of choice ? [choice] : method.choices(task)) {
    const { result: fitted, seconds: all } = await measured(() => method.fit(session, seed, tried));
    const used = session.takeUsed();
    runs = used.runs;
    const seconds = all - used.seconds;
    total += seconds;
    if (!best || isBetter(task.metric, fitted.valid, best.fitted.valid))
      best = { fitted, choice: tried, seconds };
  }
  if (!best) throw new Error(`${method.name}: no settings to choose from`);
  const { fitted } = best;
  const { result: test, seconds: scoring } = await measured(() => fitted.score({ resamples: RESAMPLES }));
  return {
    task: task.name,
    method: method.name,
    seed,
    metric: task.metric,
    valid: finite(fitted.valid),
    test: finite(test.value),
    ...(test.perTarget.length > 1 && { perTarget: test.perTarget.map(finite) }),
    replicates: (test.replicates ?? []).map((value) => finite(Number(value.toPrecision(6)))),
    chosen: { ...fitted.chosen, ...best.choice },
    seconds: (fitted.earlierSeconds ?? 0) + best.seconds + scoring,
    seconds_choosing: total - best.seconds,
    ...(runs.length > 0 && { pretraining: basename(runs[0].folder) }),
    ...(runs.length > 1 && { pretrainings: runs.length }),
    key,
  };
}
