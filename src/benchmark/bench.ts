/**
 * The verb `bench`: every method on every task of a suite with every seed, each a cell that is kept when it is done.
 * Validation chooses, test is scored once a cell, at its end. The main path, top to bottom: find the data, then cell by
 * cell prepare, pretrain, train, score and write; then all cells as one result file.
 */

import { availableParallelism, cpus } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { DeviceName, Engine } from '../engine/engine.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { exists } from '../files/exists.js';
import { holdFolder } from '../files/hold-folder.js';
import { readListed } from '../files/manifest.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { type Cell, parseResults, type Results } from '../report/results.js';
import { writeJson } from '../runs/folder.js';
import { metrics } from '../scoring/metrics.js';
import { isOfShard, type Shard, shardFolder, shardFolders } from '../verbs/shard.js';
import { version } from '../version.js';
import {
  cellKey,
  cellPath,
  chosenSettings,
  computeCell,
  readCell,
  seedsOf,
  splitTasks,
  type TaskHashes,
  taskFolder,
  taskHashes,
} from './cells.js';
import { folderOf } from './file-suite.js';
import { hasFiles, requireFiles } from './files.js';
import { openSuite, type SuiteChoice } from './index.js';
import { maskExamples } from './mask-examples.js';
import { Pretrainings, scaledCount } from './pretrained-encoders.js';
import { type OpenSession, openSession } from './session.js';
import type { BenchmarkTask, Choice, DataFolders, Suite } from './suite.js';

/** What `bench` is given. */
export interface BenchOptions extends SuiteChoice {
  /** Folder of the published data; of a file, its own. */
  readonly data?: string;
  /** Folder of prepared data, pretrained encoders, cells and results. What is there and still fits is kept. */
  readonly out: string;
  /** Only these tasks and methods. */
  readonly only?: { readonly tasks?: readonly string[]; readonly methods?: readonly string[] };
  /** Multiplies the seeds and all steps; 1 by default. */
  readonly budget?: number;
  readonly threads?: number;
  /** What networks are computed on, one for all tasks, so that their costs can be compared; the CPU by default. */
  readonly device?: Exclude<DeviceName, 'auto'>;
  /** Only every n-th task, in a folder of its own within `out`, where a call without it finds and joins them. */
  readonly shard?: Shard;
}

/** What `bench` did. */
export interface BenchSummary {
  /** The result file. */
  readonly file: string;
  readonly results: Results;
  /** Cells that this call computed, and those it found. */
  readonly computed: number;
  readonly kept: number;
  readonly interrupted: boolean;
}

/** Runs what is missing of a suite. Throws InputError for an unknown suite, task or method, and for missing files. */
export async function bench(options: BenchOptions, hooks: Hooks = {}): Promise<BenchSummary> {
  const { suite, targets, data } = options;
  const opened = await openSuite({ suite, targets }, (message) =>
    hooks.onEvent?.({ type: 'warning', message }),
  );
  if (targets) return runSuite(opened, { ...options, data: folderOf(suite) }, hooks);
  if (data === undefined) throw new InputError('no data: name the folder of the published data with --data');
  return runSuite(opened, { ...options, data }, hooks);
}

/** What running a suite is told. */
type RunOptions = Omit<BenchOptions, 'suite' | 'targets' | 'data'> & { readonly data: string };

/** `bench` of a suite that need not be in the list. */
export async function runSuite(given: Suite, options: RunOptions, hooks: Hooks = {}): Promise<BenchSummary> {
  const suite = scaled(given, options.budget ?? 1);
  const tasks = selectTasks(suite, options.only).filter((_, i) => isOfShard(i, options.shard));
  const out = shardFolder(options.out, options.shard);
  return holdFolder(out, () => runTasks(suite, tasks, { ...options, out }, hooks));
}

async function runTasks(
  suite: Suite,
  tasks: readonly BenchmarkTask[],
  options: RunOptions,
  hooks: Hooks,
): Promise<BenchSummary> {
  const { data, out, budget = 1 } = options;
  const { signal } = hooks;
  await requireFiles(data, tasks.flatMap(datasetsOf));
  const folders: DataFolders = { data, prepared: join(out, 'prepared') };
  await refuseOverwriteFolder([data], folders.prepared);
  const file = join(out, `${suite.name}.json`);
  const parts = (await shardFolders(out)).map((part) => join(out, part, basename(file)));
  for (const results of [file, ...parts])
    await restoreCells(suite, results, out).catch((error: Error) => {
      hooks.onEvent?.({ type: 'warning', message: `${error.message}; what it holds is not used` });
    });
  const { threads, device = 'cpu' } = options;
  const engine = await openEngine({
    threads,
    device,
    report: (message) => hooks.onEvent?.({ type: 'info', message }),
  });
  const pretrainings = new Pretrainings(
    { folders, out: join(out, 'pretrained'), threads, device, budget },
    hooks,
  );

  const counts = { computed: 0, kept: 0 };
  const context = { suite, out, folders, budget };
  try {
    for (const task of tasks) {
      const sessions: OpenSession[] = [];
      try {
        for (const split of splitTasks(task))
          sessions.push(await openSession(split, { folders, engine, pretrainings, hooks }));
        await runTask(task, sessions, await taskHashes(task, folders), context, counts);
      } finally {
        for (const session of sessions) await session.release();
      }
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
  const results = await collectResults(context, pretrainings, engine);
  await writeJson(file, results);
  return { file, results, ...counts, interrupted: signal?.aborted === true };
}

interface Context {
  readonly suite: Suite;
  readonly out: string;
  readonly folders: DataFolders;
  readonly budget: number;
}

/** What the results say of a task beside its cells: kept in its folder. */
type TaskRecord = Pick<Results['tasks'][number], 'records'> & { readonly masks: Results['masks'] };

/** Computes a task's missing cells, each written when it is done. Its splits have a session each. */
async function runTask(
  task: BenchmarkTask,
  sessions: readonly OpenSession[],
  hashes: TaskHashes,
  { suite, out, budget }: Context,
  counts: { computed: number; kept: number },
): Promise<void> {
  const [{ hooks, counts: records }] = sessions;
  const folder = taskFolder(out, suite.name, task.name);
  const about = join(folder, 'task.json');
  const record: TaskRecord = { records, masks: (await readTaskRecord(about))?.masks };
  await writeJson(about, record);
  const cells: Cell[] = [];
  for (const method of task.methods) {
    let choice: Choice | undefined;
    const seeds = seedsOf(task, method);
    for (let seed = 0; seed < seeds; seed++) {
      hooks.signal?.throwIfAborted();
      const session = sessions[seed % sessions.length];
      const path = cellPath(folder, method, seed);
      const key = cellKey(session.task, hashes, method, { seed, budget });
      let cell = await readCell(path, key);
      if (cell) counts.kept++;
      else {
        if (await exists(path))
          hooks.onEvent?.({
            type: 'warning',
            message: `${task.name} · ${method.name}, seed ${seed + 1}: what ${out} has is of other data, settings or a version before, and is replaced`,
          });
        // Another name for the same settings needs no second training.
        const same = cells.find((other) => other.key === key);
        cell = same
          ? { ...same, method: method.name }
          : await computeCell(session, method, { seed, key, choice });
        await writeJson(path, cell);
        counts.computed++;
      }
      // The validation part of one split may be the test part of another.
      if (sessions.length === 1) choice ??= chosenSettings(method, task, cell);
      cells.push(cell);
      const name = `${task.name} · ${method.name}`;
      const value = cell.test ?? Number.NaN;
      hooks.onEvent?.({ type: 'seed', method: name, seed, seeds, metric: task.metric, value });
    }
  }
  const masks = await maskExamples(sessions[0], join(out, 'pretrained'), cells);
  if (masks.length > 0) await writeJson(about, { ...record, masks } satisfies TaskRecord);
}

/** What a result file holds and the folder lacks, as when the file alone was kept, or it is that of a part: cells, and what is said of their tasks and pretrainings. */
async function restoreCells(suite: Suite, file: string, out: string): Promise<void> {
  if (!(await exists(file))) return;
  const bytes = await readListed(dirname(file), basename(file));
  const { tasks, cells, pretraining, masks } = parseResults(new TextDecoder().decode(bytes), file);
  const keep = async (path: string, value: unknown) => {
    if (!(await exists(path))) await writeJson(path, value);
  };
  for (const task of suite.tasks) {
    const record = tasks.find(({ name }) => name === task.name);
    if (!record) continue;
    const folder = taskFolder(out, suite.name, task.name);
    await keep(join(folder, 'task.json'), { records: record.records, masks } satisfies TaskRecord);
    for (const method of task.methods)
      for (const cell of cells)
        if (cell.task === task.name && cell.method === method.name)
          await keep(cellPath(folder, method, cell.seed), cell);
  }
  for (const result of pretraining)
    await keep(join(out, 'pretrained', `${result.name}.json`), { seconds: result.seconds, result });
}

/** Everything in the folder that fits the suite as it is now, whichever call computed it. */
async function collectResults(
  { suite, out, folders, budget }: Context,
  pretrainings: Pretrainings,
  { device }: Engine,
): Promise<Results> {
  const cells: Cell[] = [];
  const tasks: Results['tasks'] = [];
  let masks: Results['masks'];
  for (const task of suite.tasks) {
    const folder = taskFolder(out, suite.name, task.name);
    const record = await readTaskRecord(join(folder, 'task.json'));
    if (record === undefined || !(await hasFiles(folders.data, datasetsOf(task)))) continue;
    const hashes = await taskHashes(task, folders);
    const before = cells.length;
    const splits = splitTasks(task);
    for (const method of task.methods) {
      for (let seed = 0; seed < seedsOf(task, method); seed++) {
        const key = cellKey(splits[seed % splits.length], hashes, method, { seed, budget });
        const cell = await readCell(cellPath(folder, method, seed), key);
        if (cell) cells.push(cell);
      }
    }
    if (cells.length === before) continue;
    const { name, title, metric, split, source } = task;
    const { higherIsBetter } = metrics[metric];
    tasks.push({ name, title, metric, higherIsBetter, split, source, records: record.records });
    if (record.masks?.length) masks ??= record.masks;
  }
  const methods = new Map(suite.tasks.flatMap((task) => task.methods).map((method) => [method.name, method]));
  const used = new Set(cells.map(({ method }) => method));
  return {
    suite: suite.name,
    title: suite.title,
    tasks,
    methods: [...methods.values()]
      .filter(({ name }) => used.has(name))
      .map(({ name, description, random }) => ({ name, description, ...(!random && { random }) })),
    pretraining: await pretrainings.results(new Set(cells.flatMap((cell) => cell.pretraining ?? []))),
    cells,
    ...(masks && { masks }),
    machine: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}${device ? `, ${device.name}` : ''}`,
    versions: { lacuna: version, node: process.versions.node },
  };
}

const datasetsOf = ({ dataset, pretraining }: BenchmarkTask) => [dataset, pretraining.dataset];

async function readTaskRecord(path: string): Promise<TaskRecord | undefined> {
  try {
    return JSON.parse(new TextDecoder().decode(await readListed(dirname(path), basename(path))));
  } catch {
    return undefined;
  }
}

/** The suite with its seeds and labelled steps multiplied; `Pretrainings` multiplies its own. */
function scaled(suite: Suite, budget: number): Suite {
  if (!(budget > 0)) throw new InputError(`budget: expected a number above 0, got ${budget}`);
  const times = (count: number, least: number) => scaledCount(count, budget, least);
  const tasks = suite.tasks.map((task) => ({
    ...task,
    budget,
    seeds: times(task.seeds, 1),
    finetuning: { ...task.finetuning, steps: times(task.finetuning.steps, 20) },
  }));
  return { ...suite, tasks };
}

function selectTasks({ name, tasks }: Suite, { tasks: wantedTasks, methods }: BenchOptions['only'] = {}) {
  const known = {
    task: tasks.map((task) => task.name),
    method: tasks.flatMap((task) => task.methods).map((method) => method.name),
  };
  const check = (kind: 'task' | 'method', wanted: readonly string[] = []) => {
    const unknown = wanted.find((asked) => !known[kind].includes(asked));
    if (unknown === undefined) return;
    const listed = [...new Set(known[kind])].join(', ');
    throw new InputError(`suite ${name} has no ${kind} "${unknown}": expected one of ${listed}`);
  };
  check('task', wantedTasks);
  check('method', methods);
  return tasks
    .filter((task) => wantedTasks?.includes(task.name) ?? true)
    .map((task) => ({
      ...task,
      methods: task.methods.filter((method) => methods?.includes(method.name) ?? true),
    }))
    .filter((task) => task.methods.length > 0);
}
