import type { Command } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { deviceOption, keepOption, parsePositive } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly clusters?: number;
  readonly domain?: string;
  readonly keep?: string[];
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write the cluster of every record, by k-means on embeddings, and say which records stand for each cluster and what sets it apart.',
    )
    .argument('<run>', 'folder of a run, or of its export')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option(
      '-k, --clusters <n>',
      'number of clusters (default: that of 2 to 20 with the largest silhouette)',
      parsePositive,
    )
    .option(
      '--domain <column>',
      'column that says which of several domains a record is from: the -k classes whose shares differ between these (latent label shift)',
    )
    .addOption(keepOption())
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, options: Options) => {
    const { out, clusters: k, domain, keep, device, json } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) => verbs.clusters({ run: trained, data, k, domain, out, keep, config, device }, hooks),
      ({ clusters, silhouette, ...written }) =>
        [
          `${formatWritten(written)} in ${clusters.length} clusters, silhouette ${silhouette.toFixed(3)}`,
          ...clusters.map(({ cluster, records, representatives, traits }) => {
            const words = traits.map(
              ({ name, weight }) => `${name} ${weight < 0 ? '−' : '+'}${Math.abs(weight).toPrecision(2)}`,
            );
            return `  ${cluster}: ${records.toLocaleString('en-US')} records such as rows ${representatives.join(', ')}${words.length > 0 ? `; ${words.join(', ')}` : ''}`;
          }),
        ].join('\n'),
    );
  });
}
