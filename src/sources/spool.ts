/** Content that must lie plainly on the disk, because a database reads it by its path: decompressed, or from standard input. */
import { createReadStream, createWriteStream, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LacunaError } from '../errors.js';
import type { ByteFile } from '../records/bytes/byte-file.js';
import { byteChunks } from '../records/bytes/bytes.js';
import { compressionOf } from '../records/bytes/compression.js';
import { type DiskFile, diskFile } from './disk-file.js';
import { partialName, removeAbandoned } from './partial-names.js';

/** What is done to the bytes of a content on their way, such as a change of encoding. */
export type ByteTransform = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

let folder: Promise<string> | undefined;
let files = 0;
const copies = new WeakMap<ByteFile, Promise<DiskFile>>();

/**
 * A file's content as a plain file on the disk, `path`; `name` is still what the user calls it. A plain file on the disk
 * without `transform` is given back as it is. Any other is copied to a temporary folder, which is removed when the process
 * ends, and only once where there is no `transform`. Throws InputError for damaged content.
 */
export async function spooled(file: ByteFile, transform?: ByteTransform): Promise<DiskFile> {
  if (transform) return copied(transform(byteChunks(file)), file.name);
  if (isOnDisk(file) && !(await compressionOf(file))) return file;
  let copy = copies.get(file);
  if (!copy) {
    copy = copied(byteChunks(file), file.name);
    copies.set(file, copy);
  }
  return copy;
}

const isOnDisk = (file: ByteFile): file is DiskFile => 'path' in file && typeof file.path === 'string';

let standardInput: Promise<DiskFile> | undefined;

/** What comes through standard input, read once in the life of a thread; messages call it `-`. */
export function spooledInput(): Promise<DiskFile> {
  // By its number, as process.stdin is empty in a worker.
  standardInput ??= copied(createReadStream('', { fd: 0, autoClose: false }), '-');
  return standardInput;
}

async function copied(chunks: AsyncIterable<Uint8Array>, name: string): Promise<DiskFile> {
  let path = '';
  try {
    path = join(await temporaryFolder(), String(files++));
    await pipeline(chunks, createWriteStream(path));
  } catch (error) {
    if (path !== '') rmSync(path, { force: true });
    if (error instanceof LacunaError) throw error;
    throw new LacunaError(
      `${name}: its content could not be copied to ${tmpdir()} (${(error as Error).message}); make room there, or set TMPDIR`,
      { cause: error },
    );
  }
  return diskFile(path, name);
}

/** Removed at the end of the process, or of the thread that made it; what killed processes left, now. */
function temporaryFolder(): Promise<string> {
  folder ??= (async () => {
    const made = partialName(join(tmpdir(), 'lacuna'));
    await removeAbandoned(tmpdir(), 'lacuna');
    await mkdir(made, { mode: 0o700 });
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    return made;
  })();
  return folder;
}
