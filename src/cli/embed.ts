import type { Command } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import type { Shard } from '../verbs/shard.js';
import { deviceOption, keepOption, shardOption } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly keep?: string[];
  readonly device?: DeviceName;
  readonly shard?: Shard;
  readonly json?: boolean;
}

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description('Write the embedding of every record, in input order, with its row and any id.')
    .argument('<run>', 'folder of a run')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption(
      '-o, --out <file>',
      'file to write: .parquet, .csv, or .npy, which holds embeddings alone',
    )
    .addOption(keepOption())
    .addOption(deviceOption())
    .addOption(shardOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, { out, keep, device, shard, json }: Options) => {
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) =>
        verbs.embed({ run: trained, data, out, keep, config, device, ...(shard && { shard }) }, hooks),
      (written) => `${formatWritten(written)}, ${written.dimension} dimensions`,
    );
  });
}
