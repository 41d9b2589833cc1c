import type { Command } from 'commander';
import { formatTable } from '../report/table.js';
import type { TrajectoriesSummary } from '../verbs/trajectories.js';
import { parsePositive } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { count } from './progress.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly limit?: number;
  readonly json?: boolean;
}

const keys = readingKeys();
/** Kinds of token in a terminal. */
const LISTED = 20;

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Hide every token of some records at each checkpoint of a pretrained run, and draw how its error moved: which tokens are learned when, and which the run came to predict worse, as one page. Pretrain with --kept-checkpoints.',
    )
    .argument('<run>', 'folder of a pretrained run')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'page to write: .html')
    .option('--limit <n>', 'records, at most (default: 200)', parsePositive)
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, { json, out, limit }: Options) => {
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) => verbs.trajectories({ run: trained, data, out, limit, config }, hooks),
      formatTrajectories,
    );
  });
}

function formatTrajectories({ file, kinds, tokens, records, steps, trends }: TrajectoriesSummary): string {
  const percent = (share: number) => `${Number((100 * share).toPrecision(2))} %`;
  const table = formatTable(
    ['token', 'times', 'learned at step', 'first error', 'lowest', 'last', 'rising'],
    kinds
      .slice(0, LISTED)
      .map((kind) => [
        JSON.stringify(kind.token),
        kind.count,
        kind.learned,
        kind.errors[0].toFixed(3),
        Math.min(...kind.errors).toFixed(3),
        kind.errors[kind.errors.length - 1].toFixed(3),
        percent(kind.rising),
      ]),
  );
  return [
    table,
    `${count(tokens)} tokens of ${count(records)} records at ${steps.length} checkpoints: the error of ${percent(trends.falls.share)} falls, of ${percent(trends.rises.share)} rises`,
    file,
  ].join('\n');
}
