/** Content that has no plain file on the disk, written to one that is gone when the process ends. */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ByteFile } from '../records/byte-file.js';
import { byteChunks } from '../records/bytes.js';
import { diskFile } from './disk-file.js';

let folder: string | undefined;
let files = 0;

function spoolFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'lacuna-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

/** The decompressed content of a file, or what `transform` makes of it, as a plain file; messages still call it by its own name. */
export async function spooled(
  file: ByteFile,
  transform: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (chunks) => chunks,
): Promise<ByteFile> {
  const path = join(spoolFolder(), String(files++));
  await pipeline(Readable.from(transform(byteChunks(file))), createWriteStream(path));
  const { size } = await stat(path);
  return { ...(await diskFile(path)), name: file.name, size, path };
}
