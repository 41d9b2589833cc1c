import type { Command } from 'commander';
import { number } from '../report/numbers.js';
import type { Session } from './session.js';

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write a run, or the model that fit left, as ONNX that embeds or predicts, with a tokenize.js that feeds it and a model card, checked on real records.',
    )
    .argument('<run>', 'folder of a run, or of a model that fit left')
    .requiredOption('-o, --out <folder>', 'folder to write to')
    .option('--json', 'print one JSON object to stdout')
    .action((trained: string, { out, json }: { out: string; json?: boolean }) =>
      run(
        json,
        (verbs, hooks) => verbs.exportRun({ run: trained, out }, hooks),
        ({ files, compared, maximumDifference, rows }) =>
          [
            ...files,
            `${compared} of ${rows} records differ from the run's by at most ${number(maximumDifference)}`,
          ].join('\n'),
      ),
    );
}
