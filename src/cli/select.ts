import { type Command, Option } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { type SelectorName, selectors } from '../selection/index.js';
import { deviceOption, keepOption, parseCount, parsePositive } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly method: SelectorName;
  readonly for?: string;
  readonly count?: number;
  readonly seed?: number;
  readonly keep?: string[];
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description('Write the records of a large file that are worth learning from, as a model sees them.')
    .argument('<run>', 'folder of a run, or of its export')
    .argument('<data>', 'the file to choose from, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .addOption(
      new Option(
        '--method <name>',
        Object.entries(selectors)
          .map(([name, { description }]) => `${name}: ${description}`)
          .join('; '),
      )
        .choices(Object.keys(selectors))
        .makeOptionMandatory(),
    )
    .option('--for <file>', 'the records that learning is for, by which simcore chooses')
    .option(
      '--count <n>',
      'records to choose (default: a tenth, or as many as the method finds right)',
      parsePositive,
    )
    .option('--seed <n>', 'seed of what is drawn (default: 0)', parseCount)
    .addOption(keepOption())
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, options: Options) => {
    const { out, method, for: target, count, seed, keep, device, json } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) =>
        verbs.select(
          { run: trained, data, method, for: target, count, seed, out, keep, config, device },
          hooks,
        ),
      ({ pool, ended: _, ...written }) => `${formatWritten(written)} of ${pool.toLocaleString('en-US')}`,
    );
  });
}
