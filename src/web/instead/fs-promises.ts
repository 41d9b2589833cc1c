/** What the verbs use of `node:fs/promises`, on the files of a worker. */
import { findFile, namesIn, storage } from '../files.js';

const missing = (path: string): Error =>
  Object.assign(new Error(`ENOENT: no such file or folder, "${path}"`), { code: 'ENOENT' });

interface Entry {
  readonly name: string;
  isDirectory(): boolean;
  isFile(): boolean;
  isSymbolicLink(): boolean;
}

const entry = (name: string, isFile: boolean): Entry => ({
  name,
  isFile: () => isFile,
  isDirectory: () => !isFile,
  isSymbolicLink: () => false,
});

export async function readFile(path: string, encoding?: 'utf8'): Promise<Uint8Array | string> {
  const file = await findFile(path);
  if (!file) throw missing(path);
  return encoding ? file.text() : new Uint8Array(await file.arrayBuffer());
}

export async function readdir(folder: string, { withFileTypes = false } = {}): Promise<string[] | Entry[]> {
  const names = await namesIn(folder);
  if (names.length === 0) throw missing(folder);
  if (!withFileTypes) return names;
  return Promise.all(names.map(async (name) => entry(name, !!(await findFile(`${folder}/${name}`)))));
}

export async function stat(path: string): Promise<Entry & { readonly size: number }> {
  const file = await findFile(path);
  if (file) return { ...entry(path, true), size: file.size };
  if ((await namesIn(path)).length === 0) throw missing(path);
  return { ...entry(path, false), size: 0 };
}

export async function access(path: string): Promise<void> {
  await stat(path);
}

export async function rm(path: string, { force = false } = {}): Promise<void> {
  if (!force) await stat(path);
  await storage().remove(path);
}
