import type { Command } from 'commander';
import { rankTimeoutOption, requireData, shellCommand } from './arguments.js';
import { addConfigOptions, readConfigOptions } from './config-options.js';
import { formatPretrain } from './format.js';
import type { Session } from './session.js';

const keys = ['data', 'tokenizer', 'encoder', 'objective', 'training'];

export function define(command: Command, { argv, run }: Session): void {
  command
    .description('Learn from a file without labels. What is not given is chosen from the data and printed.')
    .argument('[data]', 'a file, or the folder of one data set')
    .requiredOption('--out <run>', 'folder of the run')
    .option('--resume', 'go on from the newest checkpoint in the folder of the run')
    .option('--tensorboard', "write TensorBoard's event files beside metrics.jsonl")
    .addOption(rankTimeoutOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(
    async (
      data: string | undefined,
      {
        out,
        resume,
        tensorboard,
        json,
        rankTimeout,
      }: { out: string; resume?: boolean; tensorboard?: boolean; json?: boolean; rankTimeout?: number },
    ) => {
      const config = await readConfigOptions(command, keys);
      const path = requireData(data, config.data?.path);
      await run(
        json,
        (verbs, hooks) =>
          verbs.pretrain({ data: path, out, config, resume, tensorboard, rankTimeout }, hooks),
        (summary) => {
          if (!summary.interrupted) return formatPretrain(summary);
          const again = shellCommand(resume ? argv : [...argv, '--resume']);
          return `checkpoint written to ${summary.checkpoint}\nresume with: ${again}`;
        },
      );
    },
  );
}
