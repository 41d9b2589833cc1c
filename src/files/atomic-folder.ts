import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InputError } from '../errors.js';
import { PARTIAL_SUFFIX, writeError } from './atomic-file.js';

/**
 * Makes a folder that appears with everything `write` puts into it, or not at all: it is filled under a temporary name
 * beside its own, which is renamed at the end. Throws InputError when there is something at `path` already.
 */
export async function writeFolderAtomically<T>(
  path: string,
  write: (folder: string) => Promise<T>,
): Promise<T> {
  const target = resolve(path);
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') throw new InputError(`${path}: expected a folder to write, this is a file`);
    throw writeError(error, path, 0);
  });
  if (entries.length > 0)
    throw new InputError(`${path}: this folder is not empty; name another folder with --out`);
  const partial = target + PARTIAL_SUFFIX;
  try {
    await mkdir(dirname(target), { recursive: true });
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    const result = await write(partial);
    await rename(partial, target);
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    throw writeError(error, path, 0);
  }
}
