/** What was dropped on the page: files, and the files of folders with their paths. */
import type { NamedFile } from '../../src/web/index.js';

/** The files of a drop. It is to be called before the event is over, for the browser forgets the folders then. */
export async function dropped({ items, files }: DataTransfer): Promise<readonly NamedFile[]> {
  const entries = [...items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  // Of single files the entries say no more.
  if (!entries.some(({ isDirectory }) => isDirectory)) return [...files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

/** The file of an entry, or those below it, without hidden ones. */
async function filesOf(entry: FileSystemEntry): Promise<NamedFile[]> {
  if (entry.name.startsWith('.')) return [];
  if (entry.isFile) {
    const file = await new Promise<File>((...settle) => (entry as FileSystemFileEntry).file(...settle));
    Object.defineProperty(file, 'webkitRelativePath', { value: entry.fullPath.slice(1) });
    return [file];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: NamedFile[] = [];
  // It gives a hundred at a time.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((...settle) => reader.readEntries(...settle));
    if (some.length === 0) return found;
    for (const own of some) found.push(...(await filesOf(own)));
  }
}
