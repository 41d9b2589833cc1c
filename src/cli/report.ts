import type { Command } from 'commander';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly check?: boolean;
  readonly json?: boolean;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Fill the tables and figures of a Markdown page from result files of bench. What stands between <!-- begin NAME --> and <!-- end NAME --> is made anew, all other words stay; a page that is missing is made with every block.',
    )
    .argument('[folder]', 'folder of result files', 'results')
    .option('--out <file>', 'the page; its figures go to the folder of the same name', 'docs/results.md')
    .option('--check', 'write nothing, and fail where the page or a figure would change')
    .option('--json', 'print one JSON object to stdout')
    .action((results: string, { out, check, json }: Options) =>
      run(
        json,
        (verbs, hooks) => verbs.report({ results, out, check }, hooks),
        ({ suites, written, unused }) =>
          [
            `suites: ${suites.join(', ')}`,
            ...written.map((file) => `written: ${file}`),
            ...(written.length === 0 ? [`${out} is up to date`] : []),
            ...(unused.length > 0 ? [`blocks without a place in ${out}: ${unused.join(', ')}`] : []),
          ].join('\n'),
      ),
    );
}
