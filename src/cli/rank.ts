import type { Command } from 'commander';
import { formatTable } from '../report/table.js';
import type { RankSummary } from '../verbs/rank.js';
import { requireTargets } from './arguments.js';
import { addConfigOptions, probeKeys, readConfigOptions } from './config-options.js';
import { count, score } from './progress.js';
import type { Session } from './session.js';

const keys = probeKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Say which of several pretrained runs promises most on labels, by scores of their frozen features: nothing is fine-tuned, and no test label is looked at.',
    )
    .argument('<runs-and-data...>', 'folders of pretrained runs, then a file with labels')
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (paths: string[], { json }: { json?: boolean }) => {
    const { probe: config = {} } = await readConfigOptions(command, keys);
    const targets = requireTargets(config.target);
    const [data, runs] = [paths[paths.length - 1], paths.slice(0, -1)];
    if (runs.length === 0) command.error('error: name at least one run, and then a file with labels');
    await run(json, (verbs, hooks) => verbs.rank({ runs, data, targets, config }, hooks), formatRanked);
  });
}

function formatRanked({ runs, scores, records, task }: RankSummary): string {
  const names = Object.keys(scores);
  const best = (name: string) => Math.max(...runs.map((run) => run.scores[name] ?? Number.NEGATIVE_INFINITY));
  const table = formatTable(
    ['run', 'objective', ...names],
    runs.map((run) => [
      run.run,
      run.objective,
      ...names.map((name) => {
        const value = run.scores[name];
        return value === null ? '' : `${score(value)}${value === best(name) && runs.length > 1 ? ' *' : ''}`;
      }),
    ]),
  );
  return [
    table,
    ...Object.entries(scores).map(([name, description]) => `${name}: ${description}`),
    `${task}, ${count(records)} records; of each score more is better, and * is its best run; runs are in the order of ${names[0]}`,
  ].join('\n');
}
