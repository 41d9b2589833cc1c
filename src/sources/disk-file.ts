/** A file on the disk as bytes. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { InputError, LacunaError } from '../errors.js';
import type { ByteFile } from '../records/bytes/byte-file.js';

const CHUNK_BYTES = 1 << 20;

const readFailures: Record<string, string> = {
  ENOENT: 'no such file; check the path',
  EACCES: 'no permission to read it',
  EISDIR: 'is a folder; give one of the files in it',
  Z_BUF_ERROR: 'the gzip stream ends too early; the file is truncated, copy or download it again',
  Z_DATA_ERROR: 'the gzip stream is corrupt or fails its checksum; copy or download the file again',
};

/** The error a user should see when the system or zlib could not read `path`. */
export function readError(path: string, error: unknown): Error {
  if (error instanceof LacunaError || !(error instanceof Error)) return error as Error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = readFailures[code];
  if (known) return new InputError(`${path}: ${known}`, { cause: error });
  return new LacunaError(`${path}: cannot be read (${error.message})`, { cause: error });
}

/** A file that lies on the disk. */
export interface DiskFile extends ByteFile {
  /** Where it lies, which is not what messages call it where its content was copied there. */
  readonly path: string;
}

/** Messages call the file `name`, its path by default. Throws InputError when there is no such file. */
export async function diskFile(path: string, name = path): Promise<DiskFile> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw readError(path, error);
  });
  return {
    name,
    path,
    size,
    stream: () => chunksOf(path, false),
    gunzip: () => chunksOf(path, true),
    slice: (start, end) => ({ arrayBuffer: () => readSlice(path, start, end) }),
  };
}

async function* chunksOf(path: string, gzipped: boolean): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const gunzip = gzipped ? createGunzip({ chunkSize: CHUNK_BYTES }) : undefined;
  if (gunzip) {
    file.on('error', (error) => gunzip.destroy(error));
    file.pipe(gunzip);
  }
  const chunks: AsyncIterable<Uint8Array> = gunzip ?? file;
  try {
    yield* chunks;
  } catch (error) {
    throw readError(path, error);
  } finally {
    file.destroy();
    gunzip?.destroy();
  }
}

async function readSlice(path: string, start: number, end: number): Promise<ArrayBuffer> {
  try {
    const file = await open(path);
    try {
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      return bytes.buffer.slice(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readError(path, error);
  }
}
