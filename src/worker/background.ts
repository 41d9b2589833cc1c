/**
 * Runs a verb in a worker thread, because the engine blocks the thread it runs on: the caller's stays free for
 * signals, progress and pages. Stopping is asked for, never forced, so that files are closed and checkpoints written.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { launchedBy } from '../cluster/launcher.js';
import type { Ranks } from '../cluster/ranks.js';
import { InputError } from '../errors.js';
import type { Hooks, ProgressEvent, SharedHooks } from '../learning/progress-event.js';
import type { Shard } from '../verbs/shard.js';
import { receiveError, type SentError, sendError } from './sent-error.js';
import { checkOptions } from './verb-options.js';
import { type VerbName, type Verbs, verbs } from './verb-table.js';

type Message =
  | { readonly type: 'event'; readonly event: ProgressEvent }
  | { readonly type: 'result'; readonly result: unknown }
  /** `now`: it is not worth waiting for the end of the thread, which may itself wait for other processes. */
  | { readonly type: 'error'; readonly error: SentError; readonly now: boolean };

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

/** What a verb takes that several processes can do together. */
interface RankOptions {
  /** How many seconds a process waits for the others before all are ended; 1,800 by default. */
  readonly rankTimeout?: number;
}

/** What processes that a launcher started do together. */
const together: readonly VerbName[] = ['pretrain', 'finetune'];

/** What each of them does for a part of the records, without the others. */
const apart: readonly VerbName[] = ['embed', 'predict'];

/** What each of them does a part of, to be joined by the first when all are done. */
const joined: readonly VerbName[] = ['bench', 'sweep'];

/** Seconds for which one that is done with its part waits for the others; no timer of Node takes more than 24 days. */
const PATIENCE = 2_000_000;

/**
 * The processes that a launcher started beside this one; undefined for one alone. The thread that opens them is the one that
 * has to take leave. Throws InputError for a verb that they would each do for themselves, into one folder.
 */
async function openRanks(verb: VerbName, { rankTimeout }: RankOptions = {}): Promise<Ranks | undefined> {
  const launched = launchedBy(process.env);
  if (!launched) return undefined;
  const { launcher, size } = launched;
  if (apart.includes(verb)) return undefined;
  if (![...together, ...joined].includes(verb)) {
    throw new InputError(
      `${verb}: ${launcher} started ${size} processes, and this command is for one; start it alone (several can do ${[...together, ...apart, ...joined].join(', ')})`,
    );
  }
  const timeout = joined.includes(verb) ? PATIENCE : rankTimeout;
  return (await import('../cluster/mpi.js')).openMpi(launched, timeout);
}

/** The part of the work that falls to this process, unless it is told which. */
function ownPart(verb: VerbName): { readonly shard?: Shard } {
  const launched = launchedBy(process.env);
  return launched && [...apart, ...joined].includes(verb)
    ? { shard: { index: launched.rank, of: launched.size } }
    : {};
}

/** Calls a verb in a worker of its own. Options must be plain data; see `checkOptions`. */
export function inBackground<V extends VerbName>(
  verb: V,
  options: Parameters<Verbs[V]>[0],
  { signal, onEvent = () => {} }: Hooks = {},
): ReturnType<Verbs[V]> {
  const run = new Promise((resolve, reject) => {
    checkOptions(verb, options);
    const job: Job = { lacunaVerb: verb, options, plugins: pluginsOf({ ...options }) };
    const worker = new Worker(new URL(import.meta.url), { workerData: job });
    const stop = () => worker.postMessage('stop');
    let settle = () => reject(new Error(`the worker that ran ${verb} ended without a result`));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    /** What the caller threw as it was told of an event. */
    let thrown: { readonly error: unknown } | undefined;
    const tell = (event: ProgressEvent) => {
      try {
        if (!thrown) onEvent(event);
      } catch (error) {
        thrown = { error };
        stop();
      }
    };
    worker.on('message', (message: Message) => {
      if (message.type === 'event') tell(message.event);
      else if (message.type === 'result') settle = () => resolve(message.result);
      else settle = () => reject(receiveError(message.error, signal));
      if (message.type === 'error' && message.now) settle();
    });
    worker.on('error', (error) => {
      settle = () => reject(error);
    });
    // Settled at the end of the thread, when its files and sessions are closed.
    worker.on('exit', () => {
      signal?.removeEventListener('abort', stop);
      if (thrown) reject(thrown.error);
      else settle();
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
  const run: (options: never, hooks: SharedHooks) => Promise<unknown> = verbs[lacunaVerb];
  let ranks: Ranks | undefined;
  try {
    if (plugins.length > 0) await (await import('../plugins.js')).loadPlugins(plugins);
    ranks = await openRanks(lacunaVerb, options as RankOptions);
    const hooks: SharedHooks = {
      signal: controller.signal,
      onEvent: (event) => send({ type: 'event', event }),
      ranks,
    };
    let result = await run({ ...ownPart(lacunaVerb), ...(options as object) } as never, hooks);
    if (ranks && joined.includes(lacunaVerb)) {
      if (await ranks.agree(controller.signal.aborted)) controller.abort();
      if (ranks.rank === 0) result = await run(options as never, hooks);
    }
    await ranks?.finalize();
    send({ type: 'result', result });
  } catch (error) {
    send({ type: 'error', error: sendError(error, controller.signal.aborted), now: ranks !== undefined });
  } finally {
    port.close();
  }
}

if (!isMainThread && typeof workerData === 'object' && workerData !== null && 'lacunaVerb' in workerData) {
  await work(workerData as Job);
}
