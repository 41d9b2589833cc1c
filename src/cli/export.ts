import type { Command } from 'commander';
import { number } from './progress.js';
import type { Session } from './session.js';

export function define(command: Command, { run }: Session): void {
  command
    .description('Write a run as ONNX, safetensors, its tokenizer and a model card, checked on real records.')
    .argument('<run>', 'folder of a run')
    .requiredOption('-o, --out <folder>', 'folder to write to')
    .option('--json', 'print one JSON object to stdout')
    .action((trained: string, { out, json }: { out: string; json?: boolean }) =>
      run(
        json,
        (verbs, hooks) => verbs.exportRun({ run: trained, out }, hooks),
        ({ files, maximumDifference, rows }) =>
          [
            ...files,
            `embeddings of ${rows} records differ from the run's by at most ${number(maximumDifference)}`,
          ].join('\n'),
      ),
    );
}
