/**
 * Lacuna in a page: the verbs of the library, in a Web Worker, on files that never leave the machine. Options, events and
 * errors are those of `lacuna`; where a verb there takes the path of a file, it takes a `File` here, and folders of runs are
 * names in the storage of the page.
 */
import { InputError } from '../errors.js';
import type { Hooks, ProgressEvent } from '../learning/progress-event.js';
import type { CallOptions, LoadOptions, Model } from '../models/load.js';
import type { MemoryRecord } from '../records/memory-records.js';
import type { AnomaliesOptions, AnomaliesSummary } from '../verbs/anomalies.js';
import type { ClustersOptions, ClustersSummary } from '../verbs/clusters.js';
import type { DuplicatesOptions, DuplicatesSummary } from '../verbs/duplicates.js';
import type { EmbedOptions, EmbedSummary } from '../verbs/embed.js';
import type { FinetuneVerbOptions, finetune } from '../verbs/finetune.js';
import type { FitSummary, FitVerbOptions } from '../verbs/fit.js';
import type { Inspection, InspectOptions } from '../verbs/inspect.js';
import type { MappedRecords, MappedRecordsOptions } from '../verbs/mapped-records.js';
import type { NeighborsOptions, NeighborsSummary } from '../verbs/neighbors.js';
import type { PredictOptions, PredictSummary } from '../verbs/predict.js';
import type { PretrainOptions, PretrainSummary } from '../verbs/pretrain.js';
import type { ProbeVerbOptions, probe } from '../verbs/probe.js';
import { receiveError } from '../worker/sent-error.js';
import type { Columns } from './columns.js';
import type { GivenFile } from './files.js';
import type { Answer, OpenSettings, Question } from './messages.js';
import { cellOf, type PackedColumn } from './packed-cells.js';

export type { ReadingOptions, UserConfig } from '../config/schema.js';
export { InputError, LacunaError } from '../errors.js';
export type { Hooks, ProgressEvent, StepEvent, ValidEvent } from '../learning/progress-event.js';
export type { Anomaly } from '../models/anomaly-detector.js';
export type { CallOptions, FoundNeighbor, Model, Prediction } from '../models/load.js';
export type { MemoryRecord } from '../records/memory-records.js';
export type { MappedRecords, MappedRecordsOptions } from '../verbs/mapped-records.js';
export { version } from '../version.js';
export type { Columns } from './columns.js';

/** A file as a browser gives it, such as `new File([bytes], 'people.csv')`. */
export type NamedFile = Blob & { readonly name: string; readonly webkitRelativePath?: string };

/** A file, the files of a folder of images or sounds, or the path of a file in the storage. */
export type Data = NamedFile | readonly NamedFile[] | string;

/** Options whose files are handed in. */
export type Given<O> = {
  readonly [K in keyof O]: K extends 'data' | 'of' | 'normal' | 'pairs' ? Data : O[K];
};

/** Options of a verb that writes a table: the file of the storage to write, or the columns come back where none is named. */
export type Table<O extends { readonly out: string }> = Given<Omit<O, 'out'>> & { readonly out?: string };

/** What a verb that writes a table gives. */
export type TableResult<S extends { readonly file: string }> = Omit<S, 'file'> & {
  /** The file that was written, where one was named. */
  readonly file?: string;
  /** The table, where no file was named. */
  readonly columns?: Columns;
};

/** Records on a plane, as those of `lacuna map`, whose cells are asked for one by one. */
export interface MapInPage extends Omit<MappedRecords, 'cells'> {
  /** The cell of a record and of one of `columns`, both by their place; null where it is missing. */
  cell(record: number, column: number): string | null;
}

/** A verb: its options, hooks for progress and stopping, and what it gives. */
export type Verb<O, R> = (options: O, hooks?: Hooks) => Promise<R>;

/** How a model is opened, and what it compares records with: records, or a file of some. */
export interface ModelOptions extends Pick<LoadOptions, 'device' | 'onUnknown'> {
  readonly pool?: Data | readonly MemoryRecord[];
}

/** How Lacuna is opened. Everything has a default. */
export interface LacunaSettings {
  /** Where the worker lies: worker.js beside this module by default, with the pieces that it loads. */
  readonly worker?: string | URL;
  /** The folder with the files of `onnxruntime-web/dist`: by default that of the worker, in Node where the package lies. */
  readonly runtime?: string | URL;
  /** `private` is the origin's private file system and the default where there is one; `memory` is gone with the worker. */
  readonly storage?: 'private' | 'memory';
  /** The folder of the private file system; `lacuna` by default. */
  readonly folder?: string;
  /** Threads of the processor; all cores by default, one where the page is not cross-origin isolated. */
  readonly threads?: number;
}

/** The verbs of a worker, which takes several calls at a time and computes for one after the other. */
export interface Lacuna {
  /** Threads that compute. */
  readonly threads: number;
  readonly inspect: Verb<Given<InspectOptions>, Inspection>;
  readonly pretrain: Verb<Omit<Given<PretrainOptions>, 'plugins'>, PretrainSummary>;
  readonly embed: Verb<Table<EmbedOptions>, TableResult<EmbedSummary>>;
  readonly neighbors: Verb<Table<NeighborsOptions>, TableResult<NeighborsSummary>>;
  readonly anomalies: Verb<Table<AnomaliesOptions>, TableResult<AnomaliesSummary>>;
  readonly duplicates: Verb<Table<DuplicatesOptions>, TableResult<DuplicatesSummary>>;
  readonly clusters: Verb<Table<ClustersOptions>, TableResult<ClustersSummary>>;
  readonly probe: Verb<Given<ProbeVerbOptions>, Awaited<ReturnType<typeof probe>>>;
  readonly finetune: Verb<Given<FinetuneVerbOptions>, Awaited<ReturnType<typeof finetune>>>;
  readonly fit: Verb<Given<FitVerbOptions>, FitSummary>;
  readonly predict: Verb<Table<PredictOptions>, TableResult<PredictSummary>>;
  /** The records on a plane, with their neighbours and what the model hides of them. */
  readonly map: Verb<Given<MappedRecordsOptions>, MapInPage>;
  /** A run, an export or what `fit` left, to be asked about plain records. */
  load(run: string, options?: ModelOptions, hooks?: Pick<Hooks, 'onEvent'>): Promise<Model>;
  /** The names of the runs in the storage. */
  runs(): Promise<string[]>;
  /** The folder of a run as a zip archive, which `lacuna` opens on a disk when it is unpacked. */
  packRun(run: string): Promise<Blob>;
  /** A run from such an archive. Throws InputError where there is a run of that name. */
  unpackRun(run: string, archive: Blob): Promise<void>;
  /** The files of the storage, by their paths; `run/metrics.jsonl` is one. */
  readonly files: {
    list(folder: string): Promise<string[]>;
    open(path: string): Promise<Blob | undefined>;
    write(path: string, content: Blob): Promise<void>;
    remove(path: string): Promise<void>;
  };
  /** Ends the worker at once: what was not in a checkpoint is gone. */
  close(): void;
}

/** What is used of a worker. */
interface Worker {
  postMessage(question: Question): void;
  terminate(): unknown;
}

/** What this module finds in the world. */
interface World {
  readonly Worker?: new (
    url: URL,
    options: { type: 'module' },
  ) => Worker & {
    onmessage: ((event: { readonly data: Answer }) => void) | null;
    onerror: ((event: { readonly message?: string }) => void) | null;
  };
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly storage?: { readonly getDirectory?: unknown };
  };
  readonly crossOriginIsolated?: boolean;
  readonly document?: unknown;
  readonly process?: {
    readonly versions?: { readonly node?: string };
    getBuiltinModule?(name: 'node:worker_threads'): {
      readonly Worker: new (
        url: URL,
      ) => Worker & {
        on(type: 'message', hear: (answer: Answer) => void): void;
        on(type: 'error', hear: (error: Error) => void): void;
      };
    };
    getBuiltinModule?(name: 'node:os'): { availableParallelism(): number };
  };
}

/** Options that are files, by name. */
const FILE_OPTIONS = ['data', 'of', 'normal', 'pairs', 'pool'];

/** Starts a worker and loads the runtime. Throws LacunaError where its files are not found. */
export async function openLacuna(settings: LacunaSettings = {}): Promise<Lacuna> {
  const world = globalThis as unknown as World;
  const inNode = world.Worker === undefined;
  const url = new URL(settings.worker ?? new URL('./worker.js', import.meta.url), import.meta.url);
  const waiting = new Map<number, { hear: (answer: Answer) => void; fail: (error: Error) => void }>();
  const failAll = (message: string) => {
    for (const { fail } of waiting.values()) fail(new Error(message));
    waiting.clear();
  };
  const hear = (answer: Answer) => waiting.get(answer.id)?.hear(answer);
  const worker = inNode
    ? startThread(world, url, hear, failAll)
    : startWorker(world, settings.worker === undefined ? undefined : url, hear, failAll);

  let last = 0;
  function call<T>(verb: string, options: object, { signal, onEvent }: Hooks = {}): Promise<T> {
    const id = ++last;
    return new Promise<T>((resolve, reject) => {
      const stop = () => worker.postMessage({ id, type: 'stop' });
      const settle = (then: () => void) => {
        signal?.removeEventListener('abort', stop);
        waiting.delete(id);
        then();
      };
      waiting.set(id, {
        fail: (error) => settle(() => reject(error)),
        hear: (answer) => {
          if (answer.type === 'event') onEvent?.(answer.event);
          else if (answer.type === 'result') settle(() => resolve(answer.result as T));
          else settle(() => reject(receiveError(answer.error, signal)));
        },
      });
      try {
        worker.postMessage({ id, type: 'call', verb, ...withPaths(options) });
      } catch (error) {
        settle(() => reject(error));
        return;
      }
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop, { once: true });
    });
  }
  const verb =
    <O extends object, R>(name: string) =>
    (options: O, hooks?: Hooks): Promise<R> =>
      call<R>(name, options, hooks);

  const isolated = inNode || world.document === undefined || world.crossOriginIsolated === true;
  const cores =
    world.process?.getBuiltinModule?.('node:os')?.availableParallelism() ??
    world.navigator?.hardwareConcurrency ??
    1;
  const threads = isolated ? Math.max(1, Math.min(settings.threads ?? cores, cores)) : 1;
  const opened: OpenSettings = {
    runtime: {
      folder: folderOf(settings.runtime ?? (inNode ? import.meta.resolve('onnxruntime-web') : url)),
      threads,
      // Deno has workers of browsers, and files as Node has them.
      file: inNode || 'Deno' in globalThis ? 'ort.node.min.mjs' : 'ort.wasm.bundle.min.mjs',
    },
    storage: settings.storage ?? (world.navigator?.storage?.getDirectory ? 'private' : 'memory'),
    folder: settings.folder ?? 'lacuna',
  };
  try {
    await call('open', opened);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return {
    threads,
    inspect: verb('inspect'),
    pretrain: verb('pretrain'),
    embed: verb('embed'),
    neighbors: verb('neighbors'),
    anomalies: verb('anomalies'),
    duplicates: verb('duplicates'),
    clusters: verb('clusters'),
    probe: verb('probe'),
    finetune: verb('finetune'),
    fit: verb('fit'),
    predict: verb('predict'),
    map: async (options, hooks) => {
      type Sent = Omit<MappedRecords, 'cells'> & { readonly cells: readonly PackedColumn[] };
      const { cells, ...map } = await call<Sent>('map', options, hooks);
      return { ...map, cell: (record, column) => cellOf(cells[column], record) };
    },
    load: async (run, options = {}, hooks = {}) => {
      const { model, columns, width, targets } = await call<
        Pick<Model, 'columns' | 'width' | 'targets'> & { readonly model: number }
      >('load', { run, ...options }, hooks);
      const ask = <T>(
        method: keyof Model,
        given: readonly unknown[],
        { signal, onEvent }: CallOptions = {},
      ) =>
        call<T>(
          'ask',
          { model, method, given },
          { signal, onEvent: onEvent ?? hooks.onEvent ?? warnOnConsole },
        );
      return {
        columns,
        width,
        targets,
        embed: (records, options) => ask('embed', [records], options),
        predict: (records, options) => ask('predict', [records], options),
        neighbors: (records, k, options) => ask('neighbors', [records, k], options),
        score: (records, options) => ask('score', [records], options),
        dispose: () => ask('dispose', []),
      };
    },
    runs: () => call('runs', {}),
    packRun: (run) => call('packRun', { run }),
    unpackRun: (run, archive) => call('unpackRun', { run, content: archive.slice() }),
    files: {
      list: (folder) => call('list', { folder }),
      open: (path) => call('openFile', { path }),
      write: (path, content) => call('write', { path, content: content.slice() }),
      remove: (path) => call('remove', { path }),
    },
    close() {
      worker.terminate();
      failAll('the worker was closed');
    },
  };
}

function warnOnConsole(event: ProgressEvent): void {
  if (event.type === 'warning') console.warn(`lacuna: ${event.message}`);
}

type Started = (
  world: World,
  url: URL,
  hear: (answer: Answer) => void,
  fail: (message: string) => void,
) => Worker;

const startThread: Started = (world, url, hear, fail) => {
  const threads = world.process?.getBuiltinModule?.('node:worker_threads');
  if (!threads)
    throw new InputError('a worker is needed, and there is none here; Node has them from 20.16 on');
  const worker = new threads.Worker(url);
  worker.on('message', hear);
  worker.on('error', ({ message }) => fail(message));
  return worker;
};

/** Without a place of its own the worker is named so that bundlers find it. */
function startWorker(
  { Worker }: World,
  url: URL | undefined,
  hear: (answer: Answer) => void,
  fail: (message: string) => void,
): Worker {
  const worker = url
    ? new Worker!(url, { type: 'module' })
    : new Worker!(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = ({ message }) => fail(`the worker failed (${message ?? 'its file could not be loaded'})`);
  return worker;
}

/** The folder of a file, or the folder itself, with `/` at the end. */
function folderOf(place: string | URL): string {
  const base =
    (globalThis as { readonly location?: { readonly href: string } }).location?.href ?? import.meta.url;
  const { href } = new URL(place, base);
  return /\.m?js$/.test(href) ? href.slice(0, href.lastIndexOf('/') + 1) : href.replace(/\/?$/, '/');
}

/** Options with paths in the place of files, and those files. */
function withPaths(options: object): { readonly options: object; readonly files: readonly GivenFile[] } {
  const files: GivenFile[] = [];
  const taken = new Set<string>();
  const named: Record<string, unknown> = { ...options };
  for (const name of FILE_OPTIONS) {
    const value = named[name];
    if (value instanceof Blob) named[name] = giveFile(name, value as NamedFile);
    else if (Array.isArray(value) && value.length > 0 && value.every((file) => file instanceof Blob))
      named[name] = giveFolder(value as unknown as readonly NamedFile[]);
  }
  return { options: named, files };

  function free(path: string): string {
    let found = path;
    for (let copy = 2; taken.has(found); copy++) found = `${path} (${copy})`;
    taken.add(found);
    return found;
  }
  function giveFile(option: string, file: NamedFile): string {
    if (!file.name)
      throw new InputError(`${option}: expected a file with a name; give new File([content], 'name.csv')`);
    const path = free(file.name);
    files.push({ path, content: file.slice() });
    return path;
  }
  function giveFolder(given: readonly NamedFile[]): string {
    const [first] = given;
    const folder = free(first.webkitRelativePath?.split('/')[0] || 'folder');
    for (const file of given) {
      const inside = file.webkitRelativePath?.split('/').slice(1).join('/') || file.name;
      files.push({ path: `${folder}/${inside}`, content: file.slice() });
    }
    return folder;
  }
}
