import type { Command } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { appendNames, deviceOption, parsePositive } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly keep?: string[];
  readonly colour?: string;
  readonly limit?: number;
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Draw the records of a file on a plane, those that the encoder finds alike beside each other, as one page: coloured by any column, searched by value, with the nearest records and what the model would hide at a click.',
    )
    .argument('<run>', 'folder of a run')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'page to write: .html')
    .option('--keep <columns>', 'columns to show, search and colour by (default: all)', appendNames)
    .option('--colour <column>', 'column that colours the map at first')
    .option('--limit <n>', 'records, at most (default: 50000)', parsePositive)
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, { json, ...options }: Options) => {
    const { out, keep, colour, limit, device } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) => verbs.map({ run: trained, data, out, keep, colour, limit, device, config }, hooks),
      formatWritten,
    );
  });
}
