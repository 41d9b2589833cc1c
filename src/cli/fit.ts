import type { Command } from 'commander';
import { requireTargets } from './arguments.js';
import { addConfigOptions, readConfigOptions } from './config-options.js';
import { describeFit } from './describe-fit.js';
import type { Session } from './session.js';

const keys = ['fit', 'tokenizer', 'encoder', 'objective', 'training'];

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Predict labels: simple models, an encoder beside them where one is given or learned first, and ensembles. Validation chooses; each row of the table is scored once on the test part.',
    )
    .argument('<data>', 'a file with labels, or the folder of one data set with labels')
    .requiredOption('--out <model>', 'folder of the new model')
    .option(
      '--run <run>',
      'folder of a pretrained run, whose encoder is tried beside the simple models; given again, such as for other seeds of one pretraining, the folds start from each in turn',
      (run: string, earlier: string[] = []) => [...earlier, run],
    )
    .option('--resume', 'go on with the fit that was stopped in the folder of the model')
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(
    async (
      data: string,
      {
        out,
        run: pretrained,
        resume,
        json,
      }: { out: string; run?: string[]; resume?: boolean; json?: boolean },
    ) => {
      const config = await readConfigOptions(command, keys);
      const targets = requireTargets(config.fit?.target);
      await run(
        json,
        (verbs, hooks) => verbs.fit({ data, targets, out, resume, run: pretrained, config }, hooks),
        describeFit,
      );
    },
  );
}
