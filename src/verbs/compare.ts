/** The verb `compare`: runs beside each other as one page. */

import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { reportPage } from '../report/page.js';
import { comparisonPage } from '../report/run-comparison.js';
import { ownFiles } from '../runs/folder.js';
import { readProgress } from '../runs/read-progress.js';

/** What `compare` is given. */
export interface CompareOptions {
  /** Folders of runs, done or going on. */
  readonly runs: readonly string[];
  /** The page to write, .html. */
  readonly out: string;
}

/** What `compare` wrote. */
export interface CompareSummary {
  readonly file: string;
  readonly runs: number;
}

/** Throws InputError for no folder, and where one holds no run that has begun. */
export async function compare(
  { runs, out }: CompareOptions,
  { signal }: Hooks = {},
): Promise<CompareSummary> {
  if (runs.length === 0) throw new InputError('runs: expected at least one folder of a run, got none');
  if (!/\.html?$/i.test(out))
    throw new InputError(`${out}: the page is HTML; name a file that ends in .html`);
  for (const run of runs) await refuseOverwrite(await ownFiles(run), out);
  signal?.throwIfAborted();
  const text = reportPage(await comparisonPage(await readProgress(runs)));
  signal?.throwIfAborted();
  await writeFileAtomically(out, [new TextEncoder().encode(text)]);
  return { file: out, runs: runs.length };
}
