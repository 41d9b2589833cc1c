/** Where a page keeps its files: runs, and data that it wants again. Paths are names with `/` between. */
import { InputError, LacunaError } from '../errors.js';

/** Files by path. Folders are there as long as there are files below them. */
export interface FileStorage {
  /** The names directly in a folder, of files and of folders; none where it is not there. */
  list(folder: string): Promise<string[]>;
  /** A file, or undefined where there is none. */
  open(path: string): Promise<Blob | undefined>;
  /** Writes a file whole or, on any error, not at all. Throws LacunaError where there is no room. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file, or a folder with all below it. */
  remove(path: string): Promise<void>;
}

/** The names of a path. Throws InputError for one that leads out of the storage. */
export function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..'))
    throw new InputError(`${path}: a path in the storage has no ..; name a file in it`);
  return names;
}

/** Files that are gone when the worker ends. */
export function memoryStorage(): FileStorage {
  const files = new Map<string, Blob>();
  const keyOf = (path: string) => namesOf(path).join('/');
  return {
    async list(folder) {
      const start = keyOf(folder) === '' ? '' : `${keyOf(folder)}/`;
      const below = [...files.keys()].filter((path) => path.startsWith(start));
      return [...new Set(below.map((path) => path.slice(start.length).split('/')[0]))].sort();
    },
    open: async (path) => files.get(keyOf(path)),
    async write(path, bytes) {
      files.set(keyOf(path), new Blob([bytes as Uint8Array<ArrayBuffer>]));
    },
    async remove(path) {
      const key = keyOf(path);
      for (const other of files.keys()) if (other === key || other.startsWith(`${key}/`)) files.delete(other);
    },
  };
}

/** What is used of a folder of the origin's private file system. */
export interface PrivateFolder {
  keys(): AsyncIterable<string>;
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<PrivateFolder>;
  getFileHandle(
    name: string,
    options?: { create?: boolean },
  ): Promise<{
    getFile(): Promise<Blob>;
    createWritable(): Promise<{
      write(bytes: Uint8Array): Promise<void>;
      close(): Promise<void>;
      abort(): Promise<void>;
    }>;
  }>;
  removeEntry(name: string, options?: { recursive?: boolean }): Promise<void>;
}

const absent = (error: unknown): undefined => {
  if (error instanceof Error && /^(NotFound|TypeMismatch)Error$/.test(error.name)) return undefined;
  throw error;
};

/**
 * The files of a folder in the origin's private file system, which stay when the page is closed. What is being written is
 * in a file of the browser's own until it is whole.
 */
export function privateStorage(root: PrivateFolder): FileStorage {
  const folderOf = async (names: readonly string[], create: boolean): Promise<PrivateFolder | undefined> => {
    let folder: PrivateFolder | undefined = root;
    for (const name of names) folder = await folder?.getDirectoryHandle(name, { create }).catch(absent);
    return folder;
  };
  const split = (path: string): [string[], string] => {
    const names = namesOf(path);
    return [names.slice(0, -1), names[names.length - 1]];
  };
  return {
    async list(path) {
      const folder = await folderOf(namesOf(path), false);
      const names: string[] = [];
      if (folder) for await (const name of folder.keys()) names.push(name);
      return names.filter((name) => !name.endsWith('.crswap')).sort();
    },
    async open(path) {
      const [folders, name] = split(path);
      const folder = name === undefined ? undefined : await folderOf(folders, false);
      return (await folder?.getFileHandle(name).catch(absent))?.getFile();
    },
    async write(path, bytes) {
      const [folders, name] = split(path);
      const folder = await folderOf(folders, true);
      if (!folder)
        throw new InputError(`${path}: part of the path is a file, not a folder; choose another name`);
      try {
        const file = await (await folder.getFileHandle(name, { create: true })).createWritable();
        try {
          await file.write(bytes);
        } catch (error) {
          await file.abort();
          throw error;
        }
        await file.close();
      } catch (cause) {
        if (!(cause instanceof Error) || cause.name !== 'QuotaExceededError') throw cause;
        throw new LacunaError(
          `${path}: the browser gives this page no more room; remove runs that are not needed, or download them`,
          { cause },
        );
      }
    },
    async remove(path) {
      const [folders, name] = split(path);
      const folder = await folderOf(folders, false);
      await folder?.removeEntry(name, { recursive: true }).catch(absent);
    },
  };
}
