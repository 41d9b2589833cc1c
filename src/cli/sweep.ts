import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { readConfigText } from '../config/parse.js';
import { parseSweep, type SweepConfig } from '../config/search.js';
import { InputError } from '../errors.js';
import { number } from '../report/numbers.js';
import { formatTable } from '../report/table.js';
import type { SweepSummary } from '../sweep/sweep.js';
import type { Shard } from '../verbs/shard.js';
import { parsePositive, shardOption, shellCommand } from './arguments.js';
import { loadPluginsIn } from './plugin-options.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly parallel: number;
  readonly shard?: Shard;
  readonly json?: boolean;
}

export function define(command: Command, { argv, run }: Session): void {
  command
    .description(
      'Pretrain with several settings and judge each on validation records: all combinations, draws, or draws of which the worse ones are left early. Writes a table and a page of what mattered. Trials that are done are kept, so the same command goes on after a stop.',
    )
    .argument('<config>', 'YAML or JSON file: the configuration of the runs, with search and sweep')
    .requiredOption('--out <folder>', 'folder of the trials, sweep.json and sweep.html')
    .option('--parallel <n>', 'trials at a time, each with its share of the processor', parsePositive, 1)
    .addOption(shardOption('trials', 'folder'))
    .option('--json', 'print one JSON object to stdout')
    .action(async (file: string, { out, parallel, shard, json }: Options) => {
      const config = await readSweepFile(file);
      await run(
        json,
        (verbs, hooks) => verbs.sweep({ config, out, parallel, ...(shard && { shard }) }, hooks),
        (summary) => formatSweep(summary, argv),
      );
    });
}

/** The configuration of a sweep, checked. Throws InputError that names the line of the first mistake. */
async function readSweepFile(path: string): Promise<SweepConfig> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new InputError(`${path}: could not read this configuration file (${cause.code ?? cause.message})`, {
      cause,
    });
  });
  await loadPluginsIn(path);
  const { value, where } = readConfigText(text, path);
  parseSweep(value, where);
  return value as SweepConfig;
}

/** Trials that a terminal is shown. */
const SHOWN = 10;

function formatSweep(
  { trials, best, metric, higherIsBetter, files, next, interrupted }: SweepSummary,
  argv: readonly string[],
): string {
  const sign = higherIsBetter ? -1 : 1;
  const done = trials
    .flatMap((trial) =>
      trial.failure === undefined && trial.judged.length > 0
        ? [{ ...trial, ...trial.judged.at(-1)!, times: trial.judged.length }]
        : [],
    )
    .sort((a, b) => b.times - a.times || sign * (a.score - b.score) || a.number - b.number);
  const failed = trials.filter(({ failure }) => failure !== undefined).length;
  const keys = Object.keys(trials[0]?.settings ?? {});
  const table = formatTable(
    ['trial', metric, 'steps', ...keys.map((key) => key.split('.')[1])],
    done
      .slice(0, SHOWN)
      .map(({ number: trial, score, steps, settings }) => [
        String(trial),
        number(score),
        String(steps),
        ...keys.map((key) => String(settings[key])),
      ]),
  );
  const more = [
    done.length > SHOWN && `${done.length - SHOWN} more`,
    failed > 0 && `${failed} failed`,
  ].filter(Boolean);
  return [
    ...(done.length > 0 ? [table] : []),
    ...(more.length > 0 ? [`(${more.join(', ')})`] : []),
    `written: ${files.join(', ')}`,
    ...(interrupted
      ? [`go on with: ${shellCommand(argv)}`]
      : best && next
        ? [`best: trial ${best.number}; go on with: ${shellCommand(next)}`]
        : []),
  ].join('\n');
}
