/** A file that grows line by line. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { writeError } from './atomic-file.js';

export interface AppendFile {
  /** Hands bytes to the system in one write, so that a killed process loses at most these. Throws LacunaError when the disk is full. */
  append(bytes: Uint8Array): void;
  /** When all of it is on the disk. */
  flush(): Promise<void>;
  dispose(): void;
}

/** Opens an existing file to grow. */
export function openAppendFile(path: string): AppendFile {
  let bytes = 0;
  const telling = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw writeError(error, path, bytes);
    }
  };
  const file = telling(() => openSync(path, 'a'));
  return {
    append(given) {
      telling(() => {
        for (let written = 0; written < given.length; ) written += writeSync(file, given, written);
      });
      bytes += given.length;
    },
    flush: async () => telling(() => fsyncSync(file)),
    dispose: () => closeSync(file),
  };
}
