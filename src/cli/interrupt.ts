import type { EventEmitter } from 'node:events';

const signals = ['SIGINT', 'SIGTERM'];

export interface Interrupt {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  dispose(): void;
}

/** The first SIGINT or SIGTERM asks the work to stop where it can be resumed; the second ends the process at once. */
export function onInterrupt(
  announce: () => void,
  source: EventEmitter = process,
  exit: (code: number) => void = process.exit,
): Interrupt {
  const controller = new AbortController();
  const handle = () => {
    if (controller.signal.aborted) exit(130);
    announce();
    controller.abort();
  };
  for (const name of signals) source.on(name, handle);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of signals) source.off(name, handle);
    },
  };
}
