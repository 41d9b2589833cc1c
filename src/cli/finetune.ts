import type { Command } from 'commander';
import { rankTimeoutOption, requireTargets } from './arguments.js';
import { addConfigOptions, readConfigOptions } from './config-options.js';
import { formatEvaluation } from './format.js';
import type { Session } from './session.js';

const keys = ['finetune'];

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Train a pretrained encoder on labels, with several seeds, beside the same encoder untrained.',
    )
    .argument('<run>', 'folder of a pretrained run')
    .argument('<data>', 'a file with labels, or the folder of one data set with labels')
    .requiredOption('--out <run>', 'folder of the new run')
    .option('--tensorboard', "write TensorBoard's event files into the new run")
    .option('--resume', 'go on with the fine-tuning that was stopped in the folder of the new run')
    .addOption(rankTimeoutOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(
    async (
      pretrained: string,
      data: string,
      {
        out,
        resume,
        tensorboard,
        json,
        rankTimeout,
      }: { out: string; resume?: boolean; tensorboard?: boolean; json?: boolean; rankTimeout?: number },
    ) => {
      const { finetune: config = {} } = await readConfigOptions(command, keys);
      const targets = requireTargets(config.target);
      await run(
        json,
        (verbs, hooks) =>
          verbs.finetune(
            { run: pretrained, data, targets, out, resume, config, tensorboard, rankTimeout },
            hooks,
          ),
        formatEvaluation,
      );
    },
  );
}
