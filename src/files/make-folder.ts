import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it where they are missing, and gives those that were made, the topmost first. Unlike
 * mkdir's `recursive`, ends where a system denies that a folder exists that it lets nobody make, as below /proc. Throws
 * what the system says.
 */
export async function makeFolder(path: string): Promise<string[]> {
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
    if (code !== 'ENOENT' || above === folder || (await isFolder(above))) throw error;
  }
  const above = await makeFolder(dirname(folder));
  return [...above, ...(await makeFolder(folder))];
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
