/**
 * Runs a verb in a worker thread, because the engine blocks the thread it runs on: the caller's stays free for
 * signals, progress and pages. Stopping is asked for, never forced, so that files are closed and checkpoints written.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Hooks, ProgressEvent } from '../learning/progress-event.js';
import { receiveError, type SentError, sendError } from './sent-error.js';
import { type VerbName, type Verbs, verbs } from './verb-table.js';

type Message =
  | { readonly type: 'event'; readonly event: ProgressEvent }
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'error'; readonly error: SentError };

interface Job {
  readonly lacunaVerb: VerbName;
  readonly options: unknown;
  readonly plugins: readonly string[];
}

/** What every verb takes beside its own options. */
export interface PluginOptions {
  /** Modules with objectives, encoders, tokenizers, readers or protocols of one's own: see `Plugin`. */
  readonly plugins?: readonly string[];
}

/** The plug-ins that a verb's options name, or the configuration among them. */
function pluginsOf(options: object): string[] {
  const { plugins = [], config = {} }: PluginOptions & { readonly config?: PluginOptions } = options;
  return [...new Set([...plugins, ...(config.plugins ?? [])])];
}

/** Calls a verb in a worker of its own. Options must be plain data. */
export function inBackground<V extends VerbName>(
  verb: V,
  options: Parameters<Verbs[V]>[0],
  { signal, onEvent = () => {} }: Hooks = {},
): ReturnType<Verbs[V]> {
  const run = new Promise((resolve, reject) => {
    const job: Job = { lacunaVerb: verb, options, plugins: pluginsOf({ ...options }) };
    const worker = new Worker(new URL(import.meta.url), { workerData: job });
    const stop = () => worker.postMessage('stop');
    let settle = () => reject(new Error(`the worker that ran ${verb} ended without a result`));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    worker.on('message', (message: Message) => {
      if (message.type === 'event') onEvent(message.event);
      else if (message.type === 'result') settle = () => resolve(message.result);
      else settle = () => reject(receiveError(message.error, signal));
    });
    worker.on('error', (error) => {
      settle = () => reject(error);
    });
    // Settled at the end of the thread, when its files and sessions are closed.
    worker.on('exit', () => {
      signal?.removeEventListener('abort', stop);
      settle();
    });
  });
  return run as ReturnType<Verbs[V]>;
}

/** The worker's side. */
async function work({ lacunaVerb, options, plugins }: Job): Promise<void> {
  const port = parentPort!;
  const controller = new AbortController();
  port.on('message', () => controller.abort());
  const send = (message: Message) => port.postMessage(message);
  const run: (options: never, hooks: Hooks) => Promise<unknown> = verbs[lacunaVerb];
  try {
    if (plugins.length > 0) await (await import('../plugins.js')).loadPlugins(plugins);
    const hooks: Hooks = { signal: controller.signal, onEvent: (event) => send({ type: 'event', event }) };
    send({ type: 'result', result: await run(options as never, hooks) });
  } catch (error) {
    send({ type: 'error', error: sendError(error, controller.signal.aborted) });
  } finally {
    port.close();
  }
}

if (!isMainThread && typeof workerData === 'object' && workerData !== null && 'lacunaVerb' in workerData) {
  await work(workerData as Job);
}
