/** Runs as their folders have them, whether they are done or going on. */
import { basename, dirname, resolve } from 'node:path';
import type { Config } from '../config/schema.js';
import { hasFile, readRunConfig, runFile } from './folder.js';
import { type Metrics, readMetrics } from './metrics-log.js';
import { readScores, type Scores } from './scores.js';

/** What a folder tells of its run without its parameters. */
export interface RunProgress {
  /** The folder's name, with so much of its path that no two are called alike. */
  readonly name: string;
  readonly folder: string;
  readonly config: Config;
  readonly metrics: readonly Metrics[];
  readonly scores?: Scores;
  readonly done: boolean;
}

/** In the order of the folders. Throws InputError where one holds no run that has begun. */
export async function readProgress(folders: readonly string[]): Promise<RunProgress[]> {
  const names = shortNames(folders);
  return Promise.all(
    folders.map(async (folder, i) => ({
      name: names[i],
      folder,
      config: await readRunConfig(folder),
      metrics: await readMetrics(runFile(folder, 'metrics')),
      scores: await readScores(folder),
      done: await hasFile(folder, 'done'),
    })),
  );
}

/** The shortest ends of the paths that tell them apart. */
function shortNames(folders: readonly string[]): string[] {
  let ends = folders.map((folder) => basename(resolve(folder)));
  let rests = folders.map((folder) => dirname(resolve(folder)));
  const alike = (name: string) => ends.filter((other) => other === name).length > 1;
  for (let round = 0; round < 20 && ends.some(alike); round++) {
    ends = ends.map((name, i) => (alike(name) ? `${basename(rests[i])}/${name}` : name));
    rests = rests.map(dirname);
  }
  return ends;
}
