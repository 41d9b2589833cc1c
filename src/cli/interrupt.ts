import type { EventEmitter } from 'node:events';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type SignalName = (typeof signals)[number];

export interface Interrupt {
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  dispose(): void;
}

/** The first of these signals asks the work to stop where it can be resumed; the second ends the process at once. */
export function onInterrupt(
  announce: () => void,
  source: EventEmitter = process,
  end: (signal: SignalName) => void = endBy,
): Interrupt {
  const controller = new AbortController();
  const handlers = signals.map((name) => {
    const handle = () => {
      if (controller.signal.aborted) return end(name);
      announce();
      controller.abort();
    };
    source.on(name, handle);
    return { name, handle };
  });
  return {
    signal: controller.signal,
    dispose() {
      for (const { name, handle } of handlers) source.off(name, handle);
    },
  };
}

/**
 * Ends the process as the signal does that nobody handles; shells give 128 and its number, 130 for Ctrl-C. To exit would
 * be to wait until the step that the worker computes is over, and then to break off in the middle of native code.
 */
function endBy(signal: SignalName): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
