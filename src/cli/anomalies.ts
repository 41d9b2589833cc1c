import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { type AnomalyMeasureName, anomalyMeasures } from '../models/anomaly-measures/index.js';
import { deviceOption, keepOption } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly normal?: string;
  readonly falseAlarms?: number;
  readonly also?: AnomalyMeasureName[];
  readonly keep?: string[];
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

function parseRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate < 1)) throw new InvalidArgumentError('Expected a rate between 0 and 1.');
  return rate;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write how unusual every record is to the model: how badly its hidden tokens are predicted, how far it lies from normal records, whether that is rarer than the false alarms that are allowed, and the tokens that are to blame.',
    )
    .argument('<run>', 'folder of a run, or of its export')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option('--normal <file>', 'file of normal records; by default the one that the run learned from')
    .option('--false-alarms <rate>', 'share of normal records that may be flagged (default: 0.01)', parseRate)
    .addOption(
      new Option(
        '--also <measures...>',
        `further measures beside the score: ${Object.entries(anomalyMeasures)
          .map(([name, { description }]) => `${name}: ${description}`)
          .join('; ')}`,
      ).choices(Object.keys(anomalyMeasures)),
    )
    .addOption(keepOption())
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, options: Options) => {
    const { out, normal, falseAlarms, also, keep, device, json } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) =>
        verbs.anomalies({ run: trained, data, normal, falseAlarms, also, out, keep, config, device }, hooks),
      ({ flagged, falseAlarms, heldOut, ...written }) =>
        `${formatWritten(written)}, ${flagged.toLocaleString('en-US')} flagged; of normal records ${100 * falseAlarms} % would be, by the scores of ${heldOut.toLocaleString('en-US')} that were held out`,
    );
  });
}
