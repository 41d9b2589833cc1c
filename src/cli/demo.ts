import type { Command } from 'commander';
import { parseCount } from './arguments.js';
import { formatScores } from './format.js';
import type { Session } from './session.js';

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Pretrain on real molecules, compare with random masking and with no pretraining, and write a report.',
    )
    .option('--out <folder>', 'folder for the runs and report.html', 'runs/demo')
    .option('--seed <n>', 'all random numbers follow from it', parseCount, 0)
    .option('--quick', 'fewer steps and seeds: to see it work, not to believe it')
    .option('--json', 'print one JSON object to stdout')
    .action(({ out, seed, quick, json }: { out: string; seed: number; quick?: boolean; json?: boolean }) =>
      run(
        json,
        (verbs, hooks) => verbs.demo({ out, seed, quick }, hooks),
        ({ scores, conclusion, report }) => `\n${formatScores(scores)}\n\n${conclusion}\nreport: ${report}`,
      ),
    );
}
