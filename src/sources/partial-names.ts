/** Names of what is being written, until it is whole: each process has its own, so that none touches another's. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { processIdentity } from './system-processes.js';

/** How the name of a file or folder ends that is being written. */
export const PARTIAL_SUFFIX = '.partial';

/** Folders may be shared by several machines, whose processes have the same numbers. */
const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** A name beside `path` that nothing has yet: `path.<host>-<process>-<random>.partial`. */
export const partialName = (path: string): string =>
  `${path}.${host}-${process.pid}-${randomBytes(4).toString('hex')}${PARTIAL_SUFFIX}`;

/** Removes from a folder what processes of this machine that are gone left half-written: of `name`, or of all names. */
export async function removeAbandoned(folder: string, name?: string): Promise<void> {
  for (const entry of await readdir(folder).catch(() => [])) {
    const [, whole, from, pid] = /^(.*)\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial$/s.exec(entry) ?? [];
    if (from !== host || (name !== undefined && whole !== name)) continue;
    if (processIdentity(Number(pid)) !== undefined) continue;
    // Should it not be possible, it is tried again the next time.
    await rm(join(folder, entry), { recursive: true, force: true }).catch(() => {});
  }
}
