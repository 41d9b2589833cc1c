import { type Command, Option } from 'commander';
import type { OnUnknown } from '../datasets/encoding-losses.js';
import type { DeviceName } from '../engine/engine.js';
import { deviceOption, parseCount, parsePositive } from './arguments.js';
import type { Session } from './session.js';

interface Options {
  readonly host?: string;
  readonly port?: number;
  readonly pool?: string;
  readonly threads?: number;
  readonly device?: DeviceName;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  readonly maxSeconds?: number;
  readonly maxWaiting?: number;
  readonly onUnknown?: OnUnknown;
  readonly json?: boolean;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Answer HTTP requests with a model: POST /embed, /predict, /neighbors and /score with {"records": […]}, GET /health, /metrics and /openapi.json. A newer model in the folder takes the place of the one before. Where other machines reach the address, requests need the token of the environment variable LACUNA_TOKEN.',
    )
    .argument('<run>', 'folder of a run, of its export, or of the model that fit left')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <n>', 'port to listen on; 0 is any that is free (default: 8080)', parseCount)
    .option('--max-records <n>', 'records in a request (default: 1000)', parsePositive)
    .option('--max-bytes <n>', 'bytes of a request (default: 10000000)', parsePositive)
    .option('--max-seconds <n>', 'seconds for an answer (default: 30)', parsePositive)
    .option(
      '--max-waiting <n>',
      'requests that wait; later ones are told to come again (default: 256)',
      parsePositive,
    )
    .option(
      '--pool <file>',
      'file of the records among which neighbours are found; by default the one that the run learned from',
    )
    .addOption(
      new Option(
        '--on-unknown <name>',
        'a letter or category that the model was not trained on stands as unknown, told in the answer, or its request is refused',
      ).choices(['keep', 'fail']),
    )
    .option('--threads <n>', 'threads of the engine', parsePositive)
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout')
    .action(async (folder: string, options: Options) => {
      const { json, maxRecords, maxBytes, maxSeconds, maxWaiting, ...given } = options;
      const limits = { records: maxRecords, bytes: maxBytes, seconds: maxSeconds, waiting: maxWaiting };
      const set = Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
      const token = process.env.LACUNA_TOKEN || undefined;
      await run(
        json,
        (verbs, hooks) => verbs.serve({ ...given, run: folder, token, limits: set }, hooks),
        ({ address, swaps }) =>
          `stopped serving at ${address}${swaps > 0 ? ` after ${swaps} newer models` : ''}`,
      );
    });
}
