/** One folder, one writer: a file `LOCK` says whose it is. */
import { readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { link, open, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { partialName } from '../sources/partial-names.js';
import { processIdentity } from '../sources/system-processes.js';
import { writeError } from './atomic-file.js';
import { makeFolder } from './make-folder.js';

/** The name of the file in a folder that is being written to. */
export const LOCK = 'LOCK';

/** Milliseconds between two touches of the file by its owner. */
const HEARTBEAT = 10_000;

/** Milliseconds without a touch after which the process of another machine counts as gone. */
const STALE = 10 * 60_000;

interface Owner {
  readonly pid: number;
  /** See {@link processIdentity}. */
  readonly process: string;
  readonly host: string;
  /** When it began to write, ISO 8601. */
  readonly start: string;
}

/**
 * Does some work that writes into a folder, while no other process may. The folder is made where it is missing, and
 * removed again where the work left nothing in it. A lock whose process is gone is taken over: at once where it was of
 * this machine, else when it was not touched for ten minutes. Throws InputError where another process, or another call
 * of this one, writes into the folder.
 */
export async function holdFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK);
  const made = await makeFolder(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST' || error.code === 'ENOTDIR')
      throw new InputError(
        `${folder}: expected a folder to write, this is a file or a link that leads nowhere, or lies below one`,
      );
    throw writeError(error, folder, 0);
  });
  let heartbeat: NodeJS.Timeout | undefined;
  try {
    const text = await acquire(folder, path);
    const isOurs = () => textOf(path) === text;
    heartbeat = setInterval(() => isOurs() && touch(path), HEARTBEAT).unref();
    try {
      return await work();
    } finally {
      if (isOurs()) release(path);
    }
  } finally {
    clearInterval(heartbeat);
    for (const one of made.reverse()) await rmdir(one).catch(() => {});
  }
}

/** Writes the lock and gives its text. */
async function acquire(folder: string, path: string): Promise<string> {
  const owner: Owner = {
    pid: process.pid,
    process: processIdentity(process.pid) ?? 'alive',
    host: hostname(),
    start: new Date().toISOString(),
  };
  const text = `${JSON.stringify(owner)}\n`;
  for (;;) {
    if (await writeNew(path, text)) return text;
    const found = textOf(path);
    if (found === undefined) continue;
    if (!isAbandoned(path, found)) throw taken(folder, path, found);
    // Moved, not removed: another process may have taken the lock over since, and gets it back.
    const aside = partialName(path);
    try {
      renameSync(path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw writeError(error, path, 0);
    }
    if (textOf(aside) !== found) await link(aside, path).catch(() => {});
    rmSync(aside, { force: true });
  }
}

/** Whether the file was made; not where there is one. */
async function writeNew(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw writeError(error, path, 0);
    const isFile = await stat(path).then(
      (info) => info.isFile(),
      () => true,
    );
    if (!isFile) throw new InputError(`${path}: expected no such folder, as it says who writes; rename it`);
    return false;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // The next touch may succeed; a folder that was removed needs none.
  }
}

/** What cannot be removed is a lock of a process that will be gone. */
function release(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

function ownerOf(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text);
    return typeof owner?.pid === 'number' && typeof owner.host === 'string' ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** A file that does not say whose it is may be one that is being written. */
function isAbandoned(path: string, text: string): boolean {
  const owner = ownerOf(text);
  if (owner?.host === hostname()) return processIdentity(owner.pid) !== owner.process;
  try {
    return Date.now() - statSync(path).mtimeMs > STALE;
  } catch {
    return false;
  }
}

function taken(folder: string, path: string, text: string): InputError {
  const owner = ownerOf(text);
  const by = owner
    ? `process ${owner.pid} on ${owner.host} writes into this folder since ${owner.start}`
    : 'another process writes into this folder';
  const gone = owner?.host === hostname() ? '' : `; if that process is gone, remove ${path}`;
  return new InputError(`${folder}: ${by}; wait for its end, or name another folder${gone}`);
}
