import type { Command } from 'commander';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly json?: boolean;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Put runs beside each other on one page: curves, monitors, scores with paired differences, cost, and the settings that differ. Runs may be done or going on.',
    )
    .argument('<run...>', 'folders of runs')
    .requiredOption('-o, --out <file>', 'page to write: .html')
    .option('--json', 'print one JSON object to stdout')
    .action(async (runs: string[], { out, json }: Options) => {
      await run(
        json,
        (verbs) => verbs.compare({ runs, out }),
        ({ file, runs: count }) => `${file}: ${count} ${count === 1 ? 'run' : 'runs'}`,
      );
    });
}
