import type { Command } from 'commander';
import { parseCount } from './arguments.js';
import type { Session } from './session.js';

interface Options {
  readonly port?: number;
  readonly json?: boolean;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Show runs on a live page of this machine alone: losses, monitors, cost, scores, and what the newest checkpoint hides of held-out records. Runs may be done or going on.',
    )
    .argument('<run...>', 'folders of runs')
    .option('--port <n>', 'port to listen on; 0 is any that is free (default: 8081)', parseCount)
    .option('--json', 'print one JSON object to stdout')
    .action(async (runs: string[], { port, json }: Options) => {
      await run(
        json,
        (verbs, hooks) => verbs.watch({ runs, port }, hooks),
        () => 'stopped watching',
      );
    });
}
