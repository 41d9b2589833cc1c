/** The files that verbs see in a worker: those that were handed in, and those of the storage. */
import type { ByteFile } from '../records/bytes/byte-file.js';
import { type FileStorage, memoryStorage, namesOf } from './storage.js';

/** A file that was handed in; its path has folders where a folder was. */
export interface GivenFile {
  readonly path: string;
  readonly content: Blob;
}

let kept: FileStorage = memoryStorage();
const given = new Map<string, Blob>();

/** Has verbs read and write there from now on. */
export function useStorage(storage: FileStorage): void {
  kept = storage;
}

export const storage = (): FileStorage => kept;

/** Makes files readable by their paths; a later one replaces an earlier one of the same path. */
export function giveFiles(files: readonly GivenFile[]): void {
  for (const { path, content } of files) given.set(path, content);
}

/** A file, or undefined where there is none. */
export const findFile = async (path: string): Promise<Blob | undefined> =>
  given.get(path) ?? (await kept.open(path));

/** The names directly in a folder; none where it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  const start = namesOf(folder).concat('').join('/');
  const names = [...given.keys()]
    .filter((path) => path.startsWith(start))
    .map((path) => path.slice(start.length).split('/')[0]);
  return [...new Set([...names, ...(await kept.list(folder))])].sort();
}

/** A blob as a format reads it. */
export function byteFile(name: string, content: Blob): ByteFile {
  return {
    name,
    size: content.size,
    async *stream() {
      // Not every browser iterates over a stream.
      const reader = content.stream().getReader();
      try {
        for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
      } finally {
        await reader.cancel();
      }
    },
    slice: (start, end) => content.slice(start, end),
  };
}
