/** Instead of `files/append-file.ts`: what is appended is written with the next checkpoint, as what is behind it is done again. */
import type { AppendFile } from '../../files/append-file.js';
import { findFile, storage } from '../files.js';

export function openAppendFile(path: string): AppendFile {
  let whole: Uint8Array | undefined;
  let added: Uint8Array[] = [];
  return {
    append: (bytes) => void added.push(bytes),
    async flush() {
      whole ??= new Uint8Array((await (await findFile(path))?.arrayBuffer()) ?? new ArrayBuffer(0));
      const blob = new Blob([whole, ...added] as Uint8Array<ArrayBuffer>[]);
      added = [];
      whole = new Uint8Array(await blob.arrayBuffer());
      await storage().write(path, whole);
    },
    dispose: () => {},
  };
}
