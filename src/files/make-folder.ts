import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** How often another process may make or remove a folder above in the same moment. */
const ATTEMPTS = 20;

/**
 * Makes a folder and those above it where they are missing, and gives those that were made, the topmost first. Unlike
 * mkdir's `recursive`, ends where a system denies that a folder exists that it lets nobody make, as below /proc. Throws
 * what the system says.
 */
export async function makeFolder(path: string, attempts = ATTEMPTS): Promise<string[]> {
  const folder = resolve(path);
  try {
    await mkdir(folder);
    return [folder];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      // Where links lead in a circle, it is that which is told.
      const found = await stat(folder).catch((cause) =>
        Promise.reject(cause.code === 'ELOOP' ? cause : error),
      );
      if (found.isDirectory()) return [];
    }
    const above = dirname(folder);
    if (code !== 'ENOENT' || above === folder || attempts === 0) throw error;
    // Another process may have made it since.
    if (await isFolder(above)) return makeFolder(folder, attempts - 1);
  }
  const above = await makeFolder(dirname(folder), attempts);
  return [...above, ...(await makeFolder(folder, attempts - 1))];
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
