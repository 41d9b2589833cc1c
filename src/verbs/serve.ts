/** The verb `serve`: a model as an HTTP service, until it is told to stop. */
import type { OnUnknown } from '../datasets/encoding-losses.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import type { Hooks } from '../learning/progress-event.js';
import { ServedModel } from '../serving/served-model.js';
import { hostsOf, isLoopback, openServer, pause } from '../serving/server.js';
import { checkLimits, DEFAULT_LIMITS, type ServiceLimits, service } from '../serving/service.js';

/** What `serve` is given. */
export interface ServeOptions {
  /** Folder of a run, of its export, or of the model that `fit` left. */
  readonly run: string;
  /** The address to listen on; 127.0.0.1 by default, which this machine alone reaches. */
  readonly host?: string;
  /** 8080 by default; 0 is any that is free. */
  readonly port?: number;
  /** What every request must carry, as `Authorization: Bearer TOKEN`; needed where other machines reach the address. */
  readonly token?: string;
  /** A file of the records among which neighbours are found; the one that the run learned from by default. */
  readonly pool?: string;
  readonly limits?: Partial<ServiceLimits>;
  /** Whether a letter or category that the model was not trained on is told in the answer (the default), or refused. */
  readonly onUnknown?: OnUnknown;
  readonly threads?: number;
  /** What networks are computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** What `serve` did. */
export interface ServeSummary {
  readonly address: string;
  /** How often a newer model took the place of the one before. */
  readonly swaps: number;
  /** To be told to stop is how a service ends. */
  readonly interrupted: false;
}

/** Milliseconds between two looks at the folder, and without a change before it is opened. */
const [LOOK, REST] = [1000, 300];

/**
 * Answers until the signal aborts; requests that have come by then are answered. When another model lies in the folder,
 * it takes the place of the one before, without a request that fails. Throws InputError for a wrong limit, where the folder holds no model,
 * the port is taken, or the address can be reached from elsewhere and there is no token.
 */
export async function serve(
  {
    run,
    host = '127.0.0.1',
    port = 8080,
    token,
    pool,
    limits = {},
    onUnknown,
    threads,
    device,
  }: ServeOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<ServeSummary> {
  if (!isLoopback(host) && !token)
    throw new InputError(
      `${host}: other machines reach this address, so a token is needed: set LACUNA_TOKEN, or listen on 127.0.0.1`,
    );
  checkLimits(limits);
  const served = await ServedModel.open(run, { threads, device, pool, onUnknown });
  const app = service({
    served,
    limits: { ...DEFAULT_LIMITS, ...limits },
    token,
    hosts: hostsOf(host),
  });
  const server = await openServer(app, { host, port }).catch(async (error: unknown) => {
    await served.release();
    throw error;
  });
  const { address } = server;
  try {
    onEvent({ type: 'info', message: `serving ${run} at ${address}; Ctrl-C stops` });
    while (!signal?.aborted) {
      await pause(LOOK, signal);
      if (signal?.aborted || !(await served.changed(REST))) continue;
      await served.reload().then(
        () => onEvent({ type: 'info', message: `${run}: the model that is there now is served` }),
        ({ message }: Error) =>
          onEvent({ type: 'warning', message: `${message}; the model before is still served` }),
      );
    }
    await server.finish();
    return { address, swaps: served.swaps, interrupted: false };
  } finally {
    server.cut();
    await served.release();
  }
}
