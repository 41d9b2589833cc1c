import type { Command } from 'commander';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write the predictions of a fine-tuned run for every record, in input order, with its row and any id.',
    )
    .argument('<run>', 'folder of a fine-tuned run')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (tuned: string, data: string, { out, json }: { out: string; json?: boolean }) => {
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(json, (verbs, hooks) => verbs.predict({ run: tuned, data, out, config }, hooks), formatWritten);
  });
}
