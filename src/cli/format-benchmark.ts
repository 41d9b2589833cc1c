import type { BenchSummary } from '../benchmark/bench.js';
import type { SuiteDescription } from '../benchmark/index.js';
import { scoreTable } from '../report/benchmark-tables.js';
import { count } from './progress.js';

export function formatBenchmark({ results, file, computed, kept, interrupted }: BenchSummary): string {
  const tables = results.tasks.flatMap((task) => {
    const { train, valid, test } = task.records;
    const better = task.higherIsBetter ? 'higher' : 'lower';
    return [
      `${task.title}: ${count(train)} train, ${count(valid)} valid, ${count(test)} test; ${better} ${task.metric} is better`,
      '',
      scoreTable(results, task),
      '',
    ];
  });
  const stopped = interrupted ? '; stopped, the same command goes on' : '';
  return [
    '',
    ...tables,
    `${count(computed)} cells computed, ${count(kept)} kept${stopped}`,
    `results: ${file}`,
  ].join('\n');
}

export function formatSuites({ suites }: { suites: readonly SuiteDescription[] }): string {
  return suites
    .flatMap(({ name, title, tasks, methods, files }) => [
      `${name}: ${title}`,
      ...tasks.map(
        (task) =>
          `  ${task.name}: ${task.title}; ${task.metric}, ${task.seeds} seeds; split: ${task.split}; source: ${task.source}`,
      ),
      `  methods: ${methods.join(' · ')}`,
      `  files: ${files.join(', ')}`,
      '',
    ])
    .join('\n')
    .trimEnd();
}
