/** Given and prepared data files: found, hashed, and written. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError } from '../errors.js';
import { exists } from '../files/exists.js';
import { openSource } from '../sources/open-source.js';
import type { DataFolders, Dataset } from './suite.js';

async function missingFiles(folder: string, datasets: readonly Dataset[]) {
  const wanted = [...new Set(datasets.flatMap(({ files }) => files))];
  const missing: string[] = [];
  for (const file of wanted) if (!(await exists(join(folder, file)))) missing.push(file);
  return { wanted, missing };
}

export const hasFiles = async (folder: string, datasets: readonly Dataset[]): Promise<boolean> =>
  (await missingFiles(folder, datasets)).missing.length === 0;

/** Throws InputError that lists every file that the datasets need and the folder lacks. */
export async function requireFiles(folder: string, datasets: readonly Dataset[]): Promise<void> {
  const { wanted, missing } = await missingFiles(folder, datasets);
  if (missing.length === 0) return;
  throw new InputError(
    `${folder}: ${missing.length} of the ${wanted.length} files that are needed are missing: ${missing.join(', ')}; lacuna bench --list says what they are`,
  );
}

const hashes = new Map<string, Promise<string>>();

/** SHA-256 of a file, or of all files that a path means with their names. Computed once in the life of the process. */
export function hashOf(path: string): Promise<string> {
  let hash = hashes.get(path);
  if (hash === undefined) {
    hash = computeHash(path);
    hashes.set(path, hash);
  }
  return hash;
}

async function computeHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  const { files } = (await isFile(path)) ? { files: [path] } : await openSource(path);
  for (const file of files) {
    if (files.length > 1) hash.update(`${basename(file)}\n`);
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

const isFile = (path: string) =>
  stat(path).then(
    (info) => info.isFile(),
    () => false,
  );

export const hashText = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A dataset that is a given file or folder as it is. */
export const given = (name: string, path: string, files: readonly string[] = [path]): Dataset => ({
  name,
  files,
  open: async ({ data }) => ({ path: join(data, path) }),
});

/**
 * The path of a prepared file, which `write` makes unless it is there already: its name carries a hash of the given
 * files and of `recipe`, the plain data that say how it is made.
 */
export async function prepared(
  { data, prepared: folder }: DataFolders,
  options: { name: string; extension: string; files: readonly string[]; recipe: unknown },
  write: (path: string) => Promise<void>,
): Promise<string> {
  const sources = await Promise.all(options.files.map((file) => hashOf(join(data, file))));
  const hash = hashText(JSON.stringify([sources, options.recipe])).slice(0, 8);
  const path = join(folder, `${options.name}-${hash}${options.extension}`);
  if (!(await exists(path))) await write(path);
  return path;
}
