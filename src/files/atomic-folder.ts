import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { InputError, LacunaError } from '../errors.js';
import { partialName, removeAbandoned } from '../sources/partial-names.js';
import { writeError } from './atomic-file.js';
import { makeFolder } from './make-folder.js';

/**
 * Makes a folder that appears with everything `write` puts into it, or not at all: it is filled under a temporary name
 * beside its own, which is renamed at the end. Throws InputError when there is something at `path` already, also when
 * another process has put it there meanwhile.
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
  const notEmpty = () => new InputError(`${path}: this folder is not empty; name another folder with --out`);
  if (entries.length > 0) throw notEmpty();
  const partial = partialName(target);
  try {
    await makeFolder(dirname(target));
    await removeAbandoned(dirname(target), basename(target));
    await mkdir(partial);
    const result = await write(partial);
    await rename(partial, target).catch((error: NodeJS.ErrnoException) => {
      // Another process has filled it since.
      throw error.code === 'ENOTEMPTY' || error.code === 'EEXIST' ? notEmpty() : error;
    });
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    // Files are known by where they would have been.
    if (error instanceof LacunaError) {
      const { exitCode } = error;
      throw new LacunaError(error.message.replaceAll(partial, target), { exitCode, cause: error });
    }
    throw writeError(error, path, 0);
  }
}
