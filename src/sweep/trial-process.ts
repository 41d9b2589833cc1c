/** A trial in a process of its own, so that one that is killed, by the system too, is one trial less and no more. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { InputError, LacunaError, systemError } from '../errors.js';
import type { Hooks, ProgressEvent } from '../learning/progress-event.js';
import { runTrial, type TrialJob, type TrialResult } from './trial.js';

type Message =
  | { readonly type: 'event'; readonly event: ProgressEvent }
  | { readonly type: 'result'; readonly result: TrialResult }
  | { readonly type: 'error'; readonly message: string; readonly temporary: boolean };

/** A trial that failed: its message says why. */
class TrialFailed extends LacunaError {
  constructor(
    message: string,
    /** Whether the reason may be gone when it is tried again. */
    readonly temporary = false,
  ) {
    super(message);
  }
}

/** Whether an error is of files or of the system, which may be as they should be another time. */
export const isTemporary = (error: unknown): boolean =>
  error instanceof TrialFailed
    ? error.temporary
    : error instanceof InputError || systemError(error) !== undefined;

/** Says to the process what it is. */
const MARK = 'lacuna-trial';

/** Runs a trial in a process. When the signal aborts, it ends at a checkpoint. Throws TrialFailed. */
export function inProcess(job: TrialJob, { signal, onEvent = () => {} }: Hooks): Promise<TrialResult> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [MARK], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const send = (message: unknown) => child.connected && child.send(message as never, () => {});
    const stop = () => send('stop');
    let settle: (() => void) | undefined;
    let lost: string | undefined;
    send(job);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    child.on('message', (message: Message) => {
      if (message.type === 'event') onEvent(message.event);
      else if (message.type === 'result') settle = () => resolve(message.result);
      else settle = () => reject(new TrialFailed(message.message, message.temporary));
    });
    child.on('error', ({ message }) => {
      lost = message;
    });
    child.on('close', (code, by) => {
      signal?.removeEventListener('abort', stop);
      if (settle) settle();
      else if (signal?.aborted) resolve(undefined);
      else {
        const why =
          lost ??
          (by
            ? `was killed by ${by}, as the system does when memory is short`
            : `ended with exit code ${code}`);
        reject(new TrialFailed(`its process ${why}; the sweep tries it again when it goes on`, true));
      }
    });
  });
}

/** Milliseconds between two steps that are told. */
const PAUSE = 100;

/** The process's side. */
function serve(): void {
  const controller = new AbortController();
  // Of Ctrl-C the sweep hears, too, and says what to do; when it is gone there is no one to work for.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => {});
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  const send = (message: Message) => process.connected && process.send?.(message);
  let told = 0;
  const onEvent = (event: ProgressEvent) => {
    if (event.type === 'step' && event.step < event.steps) {
      if (performance.now() - told < PAUSE) return;
      told = performance.now();
    }
    send({ type: 'event', event });
  };
  const work = async (job: TrialJob) => {
    if (job.plugins.length > 0) await (await import('../plugins.js')).loadPlugins(job.plugins);
    return runTrial(job, { signal: controller.signal, onEvent });
  };
  const end = () => {
    process.removeAllListeners('disconnect');
    process.disconnect?.();
  };
  process.on('message', (message: TrialJob | 'stop') => {
    if (message === 'stop') return controller.abort();
    void work(message)
      .then(
        (result) => send({ type: 'result', result }),
        (error) => {
          if (controller.signal.aborted && !(error instanceof LacunaError))
            return send({ type: 'result', result: undefined });
          const expected = error instanceof LacunaError ? error : systemError(error);
          const text = error instanceof Error ? error.stack : String(error);
          return send({
            type: 'error',
            message: expected?.message ?? `unexpected: ${text}`,
            temporary: isTemporary(error),
          });
        },
      )
      .finally(end);
  });
}

if (process.argv[2] === MARK && process.send) serve();
