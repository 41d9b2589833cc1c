import type { Command } from 'commander';
import { requireData } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatInspection } from './format.js';
import type { Session } from './session.js';

const keys = [
  ...readingKeys(),
  'data.columns',
  'data.ignore',
  'data.split',
  'data.split_column',
  'data.validation_column',
  'tokenizer',
];

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Show columns, types, lengths, missing values and duplicates, and the tokenizer that would be chosen and why.',
    )
    .argument('[data]', 'a file, or the folder of one data set')
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (data: string | undefined, { json }: { json?: boolean }) => {
    const config = await readConfigOptions(command, keys);
    const path = requireData(data, config.data?.path);
    await run(json, (verbs) => verbs.inspect({ data: path, config }), formatInspection);
  });
}
