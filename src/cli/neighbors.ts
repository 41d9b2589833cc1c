import type { Command } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { appendNames, deviceOption, parseCount } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly of?: string;
  readonly neighbors?: number;
  readonly keep?: string[];
  readonly whiten?: boolean;
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write for every record those that the model finds most alike, the nearest first, with the cosine similarity of their embeddings less the mean embedding.',
    )
    .argument('<run>', 'folder of a run, or of its export')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option(
      '--of <file>',
      'file of the records that are found; by default those of the data, each but for itself',
    )
    .option('-k, --neighbors <n>', 'neighbours of each record (default: 5)', parseCount)
    .option(
      '--keep <columns>',
      "columns of both files to write beside, in the file's own characters; all means all (repeatable)",
      appendNames,
    )
    .option('--whiten', 'directions along which the records differ little count as much as others')
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, options: Options) => {
    const { out, of, neighbors: k, keep, whiten, device, json } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) =>
        verbs.neighbors({ run: trained, data, of, k, out, keep, whiten, config, device }, hooks),
      ({ k, pool, milliseconds, approximate, ...written }) =>
        `${formatWritten(written)}, ${k} neighbours of each among ${pool.toLocaleString('en-US')}; ${milliseconds.toPrecision(2)} ms a record, ${
          approximate
            ? `by ${approximate.probed} of ${approximate.cells} cells, which find ${(100 * approximate.recall).toFixed(1)} % of the ten nearest`
            : 'by comparison with all'
        }`,
    );
  });
}
