import { type Command, InvalidArgumentError } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { deviceOption, keepOption } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly pairs?: string;
  readonly threshold?: number;
  readonly keep?: string[];
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

function parseSimilarity(text: string): number {
  const value = Number(text);
  if (!(value >= -1 && value <= 1)) throw new InvalidArgumentError('Expected a similarity from -1 to 1.');
  return value;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write the pairs of records that the model can hardly tell apart, the most similar first, and the groups that they make.',
    )
    .argument('<run>', 'folder of a run, or of its export')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option(
      '--pairs <file>',
      'labelled pairs that set the threshold, with the columns row, other_row and duplicate (yes or no)',
    )
    .option(
      '--threshold <similarity>',
      'least similarity of duplicates; by default it follows from how near the records are to each other',
      parseSimilarity,
    )
    .addOption(keepOption())
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, options: Options) => {
    const { out, pairs, threshold, keep, device, json } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) =>
        verbs.duplicates({ run: trained, data, pairs, threshold, out, keep, config, device }, hooks),
      ({ pairs: found, groups, surplus, threshold: from, labelled, ...written }) =>
        `${formatWritten(written)}, ${found.toLocaleString('en-US')} pairs of similarity ${Number(from.toPrecision(8))} or more in ${groups.toLocaleString('en-US')} groups, ${surplus.toLocaleString('en-US')} records that could be left out; the threshold ${
          labelled
            ? `finds ${(100 * labelled.recall).toFixed(0)} % of the labelled duplicates at a precision of ${(100 * labelled.precision).toFixed(0)} %`
            : threshold === undefined
              ? 'follows from how near the records are to each other'
              : 'was given'
        }`,
    );
  });
}
