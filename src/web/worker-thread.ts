/** The worker of a page: the verbs, on the files that come with a call and on those of the storage. */
import { InputError } from '../errors.js';
import type { Hooks } from '../learning/progress-event.js';
import type { Model } from '../models/load.js';
import type { MappedRecordsOptions } from '../verbs/mapped-records.js';
import { sendError } from '../worker/sent-error.js';
import { COLUMNS, takeColumns } from './columns.js';
import { giveFiles, storage, useStorage } from './files.js';
import type { Answer, Call, OpenSettings, Question } from './messages.js';
import { packCells } from './packed-cells.js';
import { cpuEngine, setRuntime } from './runtime.js';
import { memoryStorage, type PrivateFolder, privateStorage } from './storage.js';

interface Port {
  postMessage(message: Answer, transfer?: readonly ArrayBuffer[]): void;
  listen(hear: (question: Question) => void): void;
}

/** A worker of a browser, of Deno or Bun, or a thread of Node. */
function openPort(): Port {
  const scope = globalThis as unknown as {
    postMessage?: Port['postMessage'];
    addEventListener?(type: 'message', hear: (event: { readonly data: Question }) => void): void;
    process?: { getBuiltinModule?(name: string): { parentPort?: NodePort | null } | undefined };
  };
  const parent = scope.process?.getBuiltinModule?.('node:worker_threads')?.parentPort;
  if (parent && !scope.postMessage)
    return {
      postMessage: (message, transfer) => parent.postMessage(message, transfer),
      listen: (hear) => parent.on('message', hear),
    };
  return {
    postMessage: (message, transfer = []) => scope.postMessage!(message, transfer),
    listen: (hear) => scope.addEventListener!('message', ({ data }) => hear(data)),
  };
}

interface NodePort {
  postMessage(message: Answer, transfer?: readonly ArrayBuffer[]): void;
  on(type: 'message', hear: (question: Question) => void): void;
}

/** Verbs that write a table: where no file is named, its columns come back. */
const tableVerbs = new Set(['embed', 'predict', 'neighbors', 'anomalies', 'duplicates', 'clusters']);

type Verb = (options: never, hooks: Hooks) => Promise<unknown>;

/** Each is loaded when it is first called. */
const verbs: Readonly<Record<string, () => Promise<Verb>>> = {
  inspect: async () => (await import('../verbs/inspect.js')).inspect,
  pretrain: async () => (await import('../verbs/pretrain.js')).pretrain,
  embed: async () => (await import('../verbs/embed.js')).embed,
  neighbors: async () => (await import('../verbs/neighbors.js')).neighbors,
  anomalies: async () => (await import('../verbs/anomalies.js')).anomalies,
  duplicates: async () => (await import('../verbs/duplicates.js')).duplicates,
  clusters: async () => (await import('../verbs/clusters.js')).clusters,
  probe: async () => (await import('../verbs/probe.js')).probe,
  finetune: async () => (await import('../verbs/finetune.js')).finetune,
  fit: async () => (await import('../verbs/fit.js')).fit,
  predict: async () => (await import('../verbs/predict.js')).predict,
  map: async () => {
    const { mappedRecords } = await import('../verbs/mapped-records.js');
    return async (options: MappedRecordsOptions, hooks: Hooks) => {
      const { cells, ...map } = await mappedRecords(options, COLUMNS, hooks);
      return { ...map, cells: packCells(cells, map.columns.length) };
    };
  },
};

const models = new Map<number, Model>();
let opened = 0;

/** What else can be asked. */
const others: Readonly<Record<string, (options: never, hooks: Hooks) => Promise<unknown>>> = {
  async open({ runtime, storage: kind, folder }: OpenSettings) {
    setRuntime(runtime);
    useStorage(kind === 'memory' ? memoryStorage() : await openPrivate(folder));
    await cpuEngine();
  },
  async load({ run, ...options }: { readonly run: string }, hooks: Hooks) {
    const model = await (await import('../models/load.js')).load(run, options, hooks);
    models.set(++opened, model);
    const { columns, width, targets } = model;
    return { model: opened, columns, width, targets };
  },
  async ask(
    {
      model,
      method,
      given,
    }: { readonly model: number; readonly method: keyof Model; readonly given: unknown[] },
    hooks: Hooks,
  ) {
    const found = models.get(model);
    if (!found) throw new Error('this model was disposed of');
    if (method === 'dispose') models.delete(model);
    return (found[method] as (...given: unknown[]) => Promise<unknown>)(...given, hooks);
  },
  list: ({ folder }: { readonly folder: string }) => storage().list(folder),
  openFile: ({ path }: { readonly path: string }) => storage().open(path),
  async write({ path, content }: { readonly path: string; readonly content: Blob }) {
    await storage().write(path, new Uint8Array(await content.arrayBuffer()));
  },
  remove: ({ path }: { readonly path: string }) => storage().remove(path),
  async runs() {
    const names = await storage().list('');
    const found = await Promise.all(
      names.map(async (name) =>
        (await storage().open(`${name}/config.json`)) || (await storage().open(`${name}/fit.json`))
          ? [name]
          : [],
      ),
    );
    return found.flat();
  },
  async packRun({ run }: { readonly run: string }) {
    return (await import('./run-zip.js')).packFolder(storage(), run);
  },
  async unpackRun({ run, content }: { readonly run: string; readonly content: Blob }) {
    return (await import('./run-zip.js')).unpackFolder(storage(), run, content);
  },
};

/** A folder of the origin's private file system. */
async function openPrivate(name: string) {
  const { storage: given } =
    (
      globalThis as {
        readonly navigator?: { readonly storage?: { getDirectory?(): Promise<PrivateFolder> } };
      }
    ).navigator ?? {};
  if (!given?.getDirectory)
    throw new InputError('storage: no private file system here; ask for the storage "memory"');
  const root = await given.getDirectory();
  return privateStorage(await root.getDirectoryHandle(name, { create: true }));
}

async function run({ verb, options, files }: Call, hooks: Hooks): Promise<unknown> {
  giveFiles(files);
  if (Object.hasOwn(others, verb)) return others[verb](options as never, hooks);
  if (!Object.hasOwn(verbs, verb)) throw new InputError(`${verb}: a page has no such verb`);
  const given = options as { readonly out?: string };
  const asColumns = tableVerbs.has(verb) && given.out === undefined;
  const result = await (await verbs[verb]())(
    (asColumns ? { ...given, out: COLUMNS } : given) as never,
    hooks,
  );
  return asColumns ? { ...(result as object), file: undefined, columns: takeColumns() } : result;
}

/** The memory of arrays in a result, which goes to the page instead of a copy. */
function buffersOf(result: unknown): ArrayBuffer[] {
  const columns = (result as { readonly columns?: unknown } | undefined)?.columns;
  if (typeof columns !== 'object' || columns === null) return [];
  return [
    ...new Set(
      Object.values(columns).flatMap((values) =>
        ArrayBuffer.isView(values) ? [values.buffer as ArrayBuffer] : [],
      ),
    ),
  ];
}

const running = new Map<number, AbortController>();
const port = openPort();
port.listen(async (question) => {
  const { id } = question;
  if (question.type === 'stop') {
    running.get(id)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const { signal } = controller;
    const onEvent: Hooks['onEvent'] = (event) => port.postMessage({ id, type: 'event', event });
    const result = await run(question, { signal, onEvent });
    port.postMessage({ id, type: 'result', result }, buffersOf(result));
  } catch (error) {
    port.postMessage({ id, type: 'error', error: sendError(error, controller.signal.aborted) });
  } finally {
    running.delete(id);
  }
});
