import type { Suite } from './suite.js';
import { ablations } from './suites/ablations.js';
import { higgs } from './suites/higgs.js';
import { images } from './suites/images.js';
import { moleculenet } from './suites/moleculenet.js';
import { series } from './suites/series.js';
import { sizes } from './suites/sizes.js';
import { tables } from './suites/tables.js';
import { tape } from './suites/tape.js';
import { views } from './suites/views.js';

/** The benchmarks. A new one is a file in suites/ and a line here. */
export const suites = {
  tape,
  moleculenet,
  higgs,
  tables,
  images,
  series,
  views,
  ablations,
  sizes,
} as const satisfies Record<string, Suite>;

/** A suite in words, for `bench --list`. */
export interface SuiteDescription {
  readonly name: string;
  readonly title: string;
  readonly tasks: readonly {
    readonly name: string;
    readonly title: string;
    readonly metric: string;
    readonly seeds: number;
    readonly split: string;
    readonly source: string;
  }[];
  readonly methods: readonly string[];
  /** Relative to the data folder. */
  readonly files: readonly string[];
}

export function describeSuites(): SuiteDescription[] {
  return Object.values<Suite>(suites).map(({ name, title, tasks }) => ({
    name,
    title,
    tasks: tasks.map(({ name: task, title: words, metric, seeds, split, source }) => ({
      name: task,
      title: words,
      metric,
      seeds,
      split,
      source,
    })),
    methods: [...new Set(tasks.flatMap(({ methods }) => methods.map((method) => method.name)))],
    files: [
      ...new Set(
        tasks.flatMap(({ dataset, pretraining }) => [...dataset.files, ...pretraining.dataset.files]),
      ),
    ],
  }));
}
