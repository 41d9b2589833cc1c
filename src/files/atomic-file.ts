import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename, dirname } from 'node:path';
import { InputError, LacunaError } from '../errors.js';
import { partialName, removeAbandoned } from '../sources/partial-names.js';
import { makeFolder } from './make-folder.js';

export interface AtomicWriteOptions {
  /** Asked for after the last chunk; these bytes then replace the first ones of the file. */
  readonly header?: () => Uint8Array;
  /** `open` of node:fs/promises. A test passes one that fails. */
  readonly openFile?: typeof open;
}

/**
 * Writes a file so that a reader sees the old one or the whole new one, never a part, even when the process is killed or
 * the power fails: a temporary name in the same folder, flush, rename, flush the folder. Creates the folder if needed, and
 * removes what killed processes left half-written of this file. On any error the old file is untouched and the temporary one is removed; a full disk or a missing permission becomes
 * one line (LacunaError).
 */
export async function writeFileAtomically(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { header, openFile = open }: AtomicWriteOptions = {},
): Promise<void> {
  const target = await realpath(path).catch(() => path);
  // Renaming over a device such as /dev/null would replace it.
  const existing = await stat(target).catch(() => undefined);
  if (existing && !existing.isFile())
    throw new InputError(`${path}: expected a file to write to, this is not one`);

  const partial = partialName(target);
  let bytes = 0;
  try {
    await makeFolder(dirname(target));
    await removeAbandoned(dirname(target), basename(target));
    const file = await openFile(partial, 'wx');
    try {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        await file.writeFile(chunk);
      }
      if (header) {
        const first = header();
        await file.write(first, 0, first.length, 0);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, target);
    await flushFolder(dirname(target));
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw writeError(error, path, bytes);
  }
}

/** Windows cannot open a folder, and does not need to. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a system's refusal means and what to try. */
const refusals: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space or choose another folder',
  EDQUOT: 'your disk quota is used up; free some space or choose another folder',
  ESTALE: 'the folder is gone from the server; choose another one',
  EFBIG: 'the file is larger than this file system or your limits allow; choose another folder',
  EACCES: 'permission denied; choose a folder you may write to',
  EPERM: 'permission denied; choose a folder you may write to',
  EROFS: 'the file system is read-only; choose another folder',
  ENOTDIR: 'part of the path is a file, not a folder; choose another path',
  EEXIST: 'part of the path is a file or a link that leads nowhere, not a folder; choose another path',
  EISDIR: 'this is a folder; choose a file name',
  ELOOP: 'its links lead in a circle; choose another path',
  ENAMETOOLONG: 'the path is longer than the file system allows; choose a shorter one',
  ENOENT: 'the system has no such folder and lets nobody make it; choose another path',
  EMFILE: 'too many files are open; raise the limit (ulimit -n) or run less at once',
  ENFILE: 'too many files are open on this machine; run less at once',
  EBUSY: 'another program uses it; close that program or choose another path',
  EIO: 'the disk reported an error; choose another disk',
};

/** The one line for an error met while writing `path`, or the error itself when the system did not cause it. */
export function writeError(error: unknown, path: string, bytes: number): unknown {
  const advice = refusals[codeOf(error)];
  if (!advice) return error;
  const written = bytes > 0 ? ` (${bytes.toLocaleString('en-US')} bytes so far)` : '';
  return new LacunaError(`${path}: could not write ${basename(path)}${written}: ${advice}`, { cause: error });
}

/** EDQUOT and the like; '' of what is no error of the system. Node knows some errors by their number alone. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code = '', errno = 0 } = error as NodeJS.ErrnoException;
  if (Object.hasOwn(refusals, code)) return code;
  return Object.entries(constants.errno).find(([, number]) => number === -errno)?.[0] ?? '';
}
