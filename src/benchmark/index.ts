import { InputError } from '../errors.js';
import { suiteOfFile } from './file-suite.js';
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

/** Which benchmark. */
export interface SuiteChoice {
  /** The name of a suite, or with targets a file of one's own. */
  readonly suite: string;
  /** Of a file: the columns to predict. */
  readonly targets?: readonly string[];
}

/** Throws InputError for an unknown suite, and for a file of one's own that cannot be read; `warn` hears what is odd in it. */
export async function openSuite(
  { suite, targets }: SuiteChoice,
  warn?: (message: string) => void,
): Promise<Suite> {
  if (targets) return suiteOfFile(suite, targets, warn);
  if (Object.hasOwn(suites, suite)) return suites[suite as keyof typeof suites];
  throw new InputError(
    `unknown suite ${suite}: expected one of ${Object.keys(suites).join(', ')}; of a file of your own, name the column to predict with --target`,
  );
}

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

/** All suites in words, or the chosen one. */
export async function describeSuites({
  suite,
  targets,
}: Partial<SuiteChoice> = {}): Promise<SuiteDescription[]> {
  const chosen = suite === undefined ? Object.values<Suite>(suites) : [await openSuite({ suite, targets })];
  return chosen.map(({ name, title, tasks }) => ({
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
