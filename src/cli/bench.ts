import { type Command, InvalidArgumentError } from 'commander';
import type { BenchOptions } from '../benchmark/bench.js';
import { InputError } from '../errors.js';
import type { Shard } from '../verbs/shard.js';
import { appendNames, deviceOption, parsePositive, shardOption } from './arguments.js';
import { formatBenchmark, formatSuites } from './format-benchmark.js';
import type { Session } from './session.js';
import type { Verbs } from './verbs.js';

interface Options {
  readonly target?: string[];
  readonly data?: string;
  readonly out?: string;
  readonly only?: Record<'task' | 'method', string[]>;
  readonly budget: number;
  readonly threads?: number;
  readonly device?: BenchOptions['device'];
  readonly shard?: Shard;
  readonly list?: boolean;
  readonly json?: boolean;
}

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Run a benchmark: every method on every task with several seeds, simple baselines beside the encoders. With --target the suite is a file of your own: simple models, fit, and encoders from scratch, frozen and pretrained. Cells that are done are kept, so the same command goes on after a stop.',
    )
    .argument('[suite]', 'name of a suite, which --list describes, or a file')
    .option('--target <columns>', 'columns of the file to predict', appendNames)
    .option('--data <folder>', 'folder of the published data')
    .option('--out <folder>', 'folder for prepared data, encoders, cells and the result file')
    .option('--only <task=name,method=name>', 'only these tasks and methods (repeatable)', parseOnly)
    .option('--budget <x>', 'multiplies the seeds and all steps', parseBudget, 1)
    .option('--threads <n>', 'threads of the engine', parsePositive)
    .addOption(deviceOption(['cpu', 'webgpu']))
    .addOption(shardOption('tasks', 'folder'))
    .option('--list', 'describe the suite, or all of them: tasks, splits, metrics and sources')
    .option('--json', 'print one JSON object to stdout')
    .action(
      async (suite: string | undefined, { list, json, target, data, out, only, ...options }: Options) => {
        if (list) {
          const describe = async (verbs: Verbs) => ({
            suites: await verbs.benchmarks({ suite, targets: target }),
          });
          await run(json, describe, formatSuites);
          return;
        }
        if (suite === undefined) throw new InputError('no suite: name one, or see lacuna bench --list');
        if (out === undefined) throw new InputError('no folder for the results: name one with --out');
        const chosen = only && { tasks: only.task, methods: only.method };
        await run(
          json,
          (verbs, hooks) =>
            verbs.bench({ suite, targets: target, data, out, only: chosen, ...options }, hooks),
          formatBenchmark,
        );
      },
    );
}

/** `task=esol,task=bbbp,method=SMA`; a value may hold commas itself, so a comma counts only before another `key=`. */
function parseOnly(text: string, before: Options['only']): NonNullable<Options['only']> {
  const only: Record<string, string[]> = { ...before };
  for (const part of text.split(/,(?=(?:task|method)=)/)) {
    const [, key, value] = /^(task|method)=(.+)$/.exec(part) ?? [];
    if (key === undefined)
      throw new InvalidArgumentError('Expected task=NAME or method=NAME, joined by commas.');
    only[key] = [...(only[key] ?? []), value];
  }
  return only as NonNullable<Options['only']>;
}

function parseBudget(text: string): number {
  const budget = Number(text);
  if (!(budget > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return budget;
}
