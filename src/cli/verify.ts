import type { Command } from 'commander';
import type { VerifySummary } from '../verbs/verify.js';
import type { Session } from './session.js';

interface Options {
  readonly data?: string;
  readonly json?: boolean;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Check a run, an export, a fit or a benchmark: checksums, parameters, scores, seeds, and that no record is in two parts. Exit code 1 where a check fails.',
    )
    .argument('<folder>', 'folder of a run, an export, a fit or a benchmark, or a result file of bench')
    .option('--data <file>', 'the file that was learned from, where it is not where it was')
    .option('--json', 'print one JSON object to stdout')
    .action((folder: string, { data, json }: Options) =>
      run(json, (verbs, hooks) => verbs.verify({ folder, data }, hooks), describe),
    );
}

function describe({ folder, kind, checks }: VerifySummary): string {
  const failed = checks.filter(({ verdict }) => verdict === 'failed').length;
  const lines = checks.map(({ name, verdict, detail }) => `${verdict.padEnd(11)}  ${name}: ${detail}`);
  const result = failed === 0 ? 'nothing failed' : `${failed} failed`;
  return [...lines, `${folder}, ${kind}: ${result}`].join('\n');
}
