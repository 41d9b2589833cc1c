/**
 * The verb `bench`: every method on every task of a suite with every seed, each a cell that is kept when it is done.
 * Validation chooses, test is scored once a cell, at its end. The main path, top to bottom: find the data, then cell by
 * cell prepare, pretrain, train, score and write; then all cells as one result file.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { stepReporter } from '../evaluation/finetune.js';
import { type LabelledData, readLabelled } from '../evaluation/labelled-data.js';
import { isBetter, metrics } from '../evaluation/metrics.js';
import { splitParts } from '../evaluation/parts.js';
import { openSource } from '../records/open-source.js';
import { type Cell, cellSchema, type MaskExample, type Results } from '../report/results.js';
import type { Hooks } from '../training/progress-event.js';
import { type Run, writeJson } from '../training/run-folder.js';
import { version } from '../version.js';
import { hashOf, hashText, requireFiles } from './files.js';
import { suites } from './index.js';
import { maskExamples } from './mask-examples.js';
import { measured } from './measured.js';
import { Pretrainings, scaledCount } from './pretrainings.js';
import type { BenchmarkTask, Choice, DataFolders, Fitted, Method, Session, Suite } from './suite.js';

export interface BenchOptions {
  readonly suite: string;
  /** Folder of the published data. */
  readonly data: string;
  /** Folder of prepared data, pretrained encoders, cells and results. What is there and still fits is kept. */
  readonly out: string;
  /** Only these tasks and methods. */
  readonly only?: { readonly tasks?: readonly string[]; readonly methods?: readonly string[] };
  /** Multiplies the seeds and all steps; 1 by default. */
  readonly budget?: number;
  readonly threads?: number;
}

export interface BenchSummary {
  /** The result file. */
  readonly file: string;
  readonly results: Results;
  /** Cells that this call computed, and those it found. */
  readonly computed: number;
  readonly kept: number;
  readonly interrupted: boolean;
}

/** Bootstrap replicates of each test score. */
const RESAMPLES = 200;

/** Runs what is missing of a suite. Throws InputError for an unknown suite, task or method, and for missing files. */
export async function bench(options: BenchOptions, hooks: Hooks = {}): Promise<BenchSummary> {
  return runSuite(findSuite(options.suite), options, hooks);
}

/** `bench` of a suite that need not be in the list. */
export async function runSuite(
  given: Suite,
  options: Omit<BenchOptions, 'suite'>,
  hooks: Hooks = {},
): Promise<BenchSummary> {
  const { data, out, budget = 1 } = options;
  const { onEvent = () => {}, signal } = hooks;
  const suite = scaled(given, budget);
  const tasks = selectTasks(suite, options.only);
  await requireFiles(
    data,
    tasks.flatMap((task) => [task.dataset, task.pretraining.dataset]),
  );
  const folders: DataFolders = { data, prepared: join(out, 'prepared') };
  await mkdir(folders.prepared, { recursive: true });
  const engine = await nodeEngine({ threads: options.threads ?? defaultThreads() });
  const pretrainings = new Pretrainings(
    { folders, out: join(out, 'pretrained'), threads: options.threads, budget },
    hooks,
  );

  const cells: Cell[] = [];
  const records: Record<string, LabelledData['counts']> = {};
  let masks: MaskExample[] = [];
  let computed = 0;
  try {
    for (const task of tasks) {
      const session = await openSession(task, { folders, engine, pretrainings, hooks });
      records[task.name] = session.counts;
      try {
        for (const method of task.methods) {
          let choice: Choice | undefined;
          for (let seed = 0; seed < (method.random ? task.seeds : 1); seed++) {
            signal?.throwIfAborted();
            const path = join(out, 'cells', suite.name, task.name, fileName(method.name), `${seed}.json`);
            const key = cellKey(session, method, { seed, budget });
            let cell = await readCell(path, key);
            if (cell === undefined) {
              cell = await computeCell(session, method, { seed, key, choice });
              await writeJson(path, cell);
              computed++;
            }
            choice ??= chosenSettings(method, task, cell);
            cells.push(cell);
            const value = cell.test ?? Number.NaN;
            onEvent({
              type: 'seed',
              method: `${task.name} · ${method.name}`,
              seed,
              seeds: method.random ? task.seeds : 1,
              metric: task.metric,
              value,
            });
          }
        }
        if (masks.length === 0) masks = await maskExamples(session, join(out, 'pretrained'), cells);
      } finally {
        await session.release();
      }
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }

  const results: Results = {
    suite: suite.name,
    title: suite.title,
    tasks: tasks
      .filter(({ name }) => records[name])
      .map(({ name, title, metric, split, source }) => ({
        name,
        title,
        metric,
        higherIsBetter: metrics[metric].higherIsBetter,
        split,
        source,
        records: records[name],
      })),
    methods: [
      ...new Map(tasks.flatMap((task) => task.methods).map((method) => [method.name, method])).values(),
    ]
      .filter(({ name }) => cells.some(({ method }) => method === name))
      .map(({ name, description }) => ({ name, description })),
    pretraining: await pretrainings.results(new Set(cells.flatMap((cell) => cell.pretraining ?? []))),
    cells,
    ...(masks.length > 0 && { masks }),
    machine: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}`,
    versions: { lacuna: version, node: process.versions.node },
  };
  const file = join(out, `${suite.name}.json`);
  await writeJson(file, results);
  return { file, results, computed, kept: cells.length - computed, interrupted: signal?.aborted === true };
}

function findSuite(name: string): Suite {
  if (Object.hasOwn(suites, name)) return suites[name as keyof typeof suites];
  throw new InputError(`unknown suite ${name}: expected one of ${Object.keys(suites).join(', ')}`);
}

/** The suite with its seeds and labelled steps multiplied; `Pretrainings` multiplies its own. */
function scaled(suite: Suite, budget: number): Suite {
  if (!(budget > 0)) throw new InputError(`budget: expected a number above 0, got ${budget}`);
  const times = (count: number, least: number) => scaledCount(count, budget, least);
  const tasks = suite.tasks.map((task) => ({
    ...task,
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

interface OpenSession extends Session {
  readonly counts: LabelledData['counts'];
  /** Of the labelled data, and of those that the tokenizer is fitted on. */
  readonly dataHash: string;
  readonly unlabelledHash: string;
  /** What a method's pretrained encoders were, for its cell; forgotten when asked. */
  readonly takeUsed: () => Run | undefined;
  readonly release: () => Promise<void>;
}

async function openSession(
  task: BenchmarkTask,
  context: {
    folders: DataFolders;
    engine: Session['engine'];
    pretrainings: Pretrainings;
    hooks: Hooks;
  },
): Promise<OpenSession> {
  const { folders, engine, pretrainings, hooks } = context;
  const { path } = await task.dataset.open(folders);
  const { tokenizer, model } = await pretrainings.model(task.pretraining);
  const labelled = await readLabelled({
    path,
    tokenizer,
    targets: task.targets,
    task: task.task,
    splitColumn: task.splitColumn,
    maskColumn: task.maskColumn,
    onBadRecord: 'skip',
    seed: 0,
  });
  const parts = splitParts(labelled);
  const made = new Map<string, { value: Promise<unknown>; release?: (value: never) => Promise<void> }>();
  let used: Run | undefined;
  const session: OpenSession = {
    task,
    labelled: { spec: labelled.spec, metric: task.metric, ...parts },
    tokenizer,
    model,
    engine,
    hooks,
    onStep: stepReporter(hooks, {
      steps: task.finetuning.steps,
      batchSize: task.finetuning.batchSize,
      total: task.finetuning.steps,
    }),
    counts: labelled.counts,
    dataHash: await hashOf(path),
    unlabelledHash: await hashOf((await task.pretraining.dataset.open(folders)).path),
    async texts(part) {
      const texts = (await session.shared('texts', () => readTexts(path, tokenizer.columns[0]))) as (
        | string
        | null
      )[];
      return Array.from(parts[part].block.rows, (row) => texts[row] ?? '');
    },
    async pretrained(objective, changes) {
      used = await pretrainings.run(task.pretraining, objective, changes);
      return used;
    },
    takeUsed() {
      const taken = used;
      used = undefined;
      return taken;
    },
    shared<T>(key: string, make: () => Promise<T>, release?: (value: T) => Promise<void>) {
      let entry = made.get(key);
      if (entry === undefined) {
        entry = { value: make(), release };
        made.set(key, entry);
      }
      return entry.value as Promise<T>;
    },
    async release() {
      for (const { value, release } of made.values()) await release?.((await value) as never);
    },
  };
  return session;
}

/** The texts of a column by file row. */
async function readTexts(path: string, name: string): Promise<(string | null)[]> {
  const texts: (string | null)[] = [];
  const source = await openSource(path, { onBadRecord: 'skip' });
  for await (const { rows, columns } of source.read({ columns: [name] })) {
    const column = columns[name];
    if (column.type !== 'text') throw new InputError(`${path}: column ${name} holds no text`);
    rows.forEach((row, i) => {
      texts[row] = column.values[i];
    });
  }
  return texts;
}

const fileName = (method: string) => method.replaceAll(/[^a-z0-9.=]+/gi, '-');

/** A hash of everything that a cell is computed from, and of nothing else. */
function cellKey(
  { task, dataHash, unlabelledHash }: OpenSession,
  method: Method,
  { seed, budget }: { seed: number; budget: number },
): string {
  const { name, targets, metric, splitColumn, maskColumn, pretraining, finetuning } = task;
  const { data, tokenizer, encoder, objective, training } = pretraining.config;
  const used = {
    encoder,
    pretraining: { objective, training, ...(budget !== 1 && { budget }) },
    finetuning: { steps: finetuning.steps, batchSize: finetuning.batchSize },
  };
  return hashText(
    JSON.stringify({
      task: { name, targets, kind: task.task, metric, splitColumn, maskColumn, dataHash },
      tokens: { unlabelledHash, data, tokenizer },
      method: method.config,
      choices: method.choices(task),
      uses: method.uses.map((part) => [part, used[part]]),
      seed,
      resamples: RESAMPLES,
    }),
  );
}

async function readCell(path: string, key: string): Promise<Cell | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const cell = cellSchema.parse(JSON.parse(text));
    return cell.key === key ? cell : undefined;
  } catch {
    return undefined;
  }
}

/** The settings among a method's choices that a cell was computed with. */
const chosenSettings = (method: Method, task: BenchmarkTask, { chosen }: Cell): Choice | undefined =>
  method
    .choices(task)
    .find((choice) => Object.entries(choice).every(([name, value]) => chosen[name] === value));

/** Fits with each of the settings, or with the one chosen before, and scores the one that is best on validation. */
async function computeCell(
  session: OpenSession,
  method: Method,
  { seed, key, choice }: { seed: number; key: string; choice?: Choice },
): Promise<Cell> {
  const { task, hooks } = session;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  hooks.onEvent?.({ type: 'info', message: `${task.name} · ${method.name} · seed ${seed}` });
  let best: { fitted: Fitted; choice: Choice; seconds: number } | undefined;
  let total = 0;
  session.takeUsed();
  for (const tried of choice ? [choice] : method.choices(task)) {
    const { result: fitted, seconds } = await measured(() => method.fit(session, seed, tried));
    total += seconds;
    if (!best || isBetter(task.metric, fitted.valid, best.fitted.valid))
      best = { fitted, choice: tried, seconds };
  }
  if (!best) throw new Error(`${method.name}: no settings to choose from`);
  const { fitted } = best;
  const { result: test, seconds: scoring } = await measured(() => fitted.score({ resamples: RESAMPLES }));
  const run = session.takeUsed();
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
    seconds: best.seconds + scoring,
    seconds_choosing: total - best.seconds,
    ...(run && { pretraining: run.folder.replace(/^.*[\\/]/, '') }),
    key,
  };
}
