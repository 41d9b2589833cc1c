import type { Command } from 'commander';
import type { AttributeSummary } from '../verbs/attribute.js';
import { parsePositive, requireTargets } from './arguments.js';
import { addConfigOptions, probeKeys, readConfigOptions } from './config-options.js';
import { formatInterval } from './format.js';
import { count } from './progress.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly neighbors?: number;
  readonly records?: number;
  readonly json?: boolean;
}

const keys = probeKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write which training records a prediction rests on: those nearest to it in feature space, and how far the prediction moves when it is made without them.',
    )
    .argument('<run>', 'folder of a run')
    .argument('<data>', 'a file with labels, or the folder of one data set with labels')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option(
      '-k, --neighbors <n>',
      'training records that a prediction is attributed to (default: 10)',
      parsePositive,
    )
    .option(
      '--records <n>',
      'test records whose predictions are explained, the first ones (default: 50)',
      parsePositive,
    )
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, { out, neighbors: k, records, json }: Options) => {
    const { probe: config = {} } = await readConfigOptions(command, keys);
    const targets = requireTargets(config.target);
    await run(
      json,
      (verbs, hooks) => verbs.attribute({ run: trained, data, targets, k, records, out, config }, hooks),
      formatAttributed,
    );
  });
}

function formatAttributed({ file, rows, task, moved, movedAtRandom, difference }: AttributeSummary): string {
  const unit = task === 'regression' ? "in the label's unit" : 'in total variation of its probabilities';
  return [
    `${file}: ${count(rows)} predictions with the training records that are most alike`,
    `a prediction moves by ${formatInterval(moved)} without them, by ${formatInterval(movedAtRandom)} without as many at random, ${unit}`,
    `difference ${formatInterval(difference)}, paired by record`,
  ].join('\n');
}
