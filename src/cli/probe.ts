import type { Command } from 'commander';
import { requireTargets } from './arguments.js';
import { addConfigOptions, readConfigOptions } from './config-options.js';
import { formatEvaluation } from './format.js';
import type { Session } from './session.js';

const keys = ['probe'];

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Score a frozen encoder on labels: linear, nearest neighbours, nearest class mean, beside the same encoder untrained.',
    )
    .argument('<run>', 'folder of a pretrained run')
    .argument('<data>', 'a file with labels, or the folder of one data set with labels')
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (pretrained: string, data: string, { json }: { json?: boolean }) => {
    const { probe: config = {} } = await readConfigOptions(command, keys);
    const targets = requireTargets(config.target);
    await run(
      json,
      (verbs, hooks) => verbs.probe({ run: pretrained, data, targets, config }, hooks),
      formatEvaluation,
    );
  });
}
