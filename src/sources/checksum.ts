/** What a source's files are known by. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { DataSource } from '../records/record-batch.js';

/** Bytes at the start and at the end of a large file that its checksum covers, beside its size. */
const HASHED_BYTES = 64 << 20;

/** A checksum of the files of a source, so that a run is not resumed with other data. */
export async function checksum({ files, bytes, format }: DataSource): Promise<string> {
  const hash = createHash('sha256').update(`${format} ${bytes}`);
  const buffer = Buffer.alloc(1 << 20);
  for (const path of files) {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      for (let offset = 0; offset < size; offset += buffer.length) {
        if (offset >= HASHED_BYTES && offset < size - HASHED_BYTES) continue;
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return `sha256:${hash.digest('hex')}`;
}
