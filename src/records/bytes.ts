/** Files as streams of bytes and lines, decompressed where they are gzipped. Memory stays constant. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { InputError, LacunaError } from '../errors.js';

const CHUNK_BYTES = 1 << 20;
/** Longer lines than this would near the longest string the runtime can hold. */
const MAX_LINE_CHARACTERS = 1 << 28;

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

/** The first bytes of a file as stored, at most `count`. */
async function storedHead(path: string, count: number): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readError(path, error);
  }
}

/** Whether a file starts with the gzip magic number. Names are not trusted. */
export async function isGzipped(path: string): Promise<boolean> {
  const head = await storedHead(path, 2);
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** The bytes of a file, decompressed. Throws InputError for a missing, truncated or corrupt file. */
export async function* byteChunks(path: string): AsyncGenerator<Buffer> {
  const gzipped = await isGzipped(path);
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const gunzip = gzipped ? createGunzip({ chunkSize: CHUNK_BYTES }) : undefined;
  if (gunzip) {
    file.on('error', (error) => gunzip.destroy(error));
    file.pipe(gunzip);
  }
  const chunks: AsyncIterable<Buffer> = gunzip ?? file;
  try {
    yield* chunks;
  } catch (error) {
    throw readError(path, error);
  } finally {
    file.destroy();
    gunzip?.destroy();
  }
}

/** The first bytes of a file's content, decompressed, at most `count`. */
export async function contentHead(path: string, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let held = 0;
  for await (const chunk of byteChunks(path)) {
    parts.push(chunk);
    held += chunk.length;
    if (held >= count) break;
  }
  return Buffer.concat(parts).subarray(0, count);
}

/** Decompresses a whole gzip file and checks its checksums, so that a damaged one is refused before it is read. */
export async function verifyGzip(path: string): Promise<void> {
  for await (const _ of byteChunks(path));
}

export interface LineChunk {
  /** Line number of `lines[0]`, counted from 1. */
  readonly firstLine: number;
  readonly lines: readonly string[];
}

/**
 * The lines of a UTF-8 text, without their ends (LF or CRLF), about a megabyte at a time. A byte order mark is dropped.
 * Bytes that are not UTF-8 arrive as U+FFFD; `isDamagedText` finds them.
 */
export async function* lineChunks(path: string): AsyncGenerator<LineChunk> {
  const decoder = new TextDecoder('utf-8');
  let firstLine = 1;
  let carried = '';
  for await (const bytes of byteChunks(path)) {
    const text = decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf('\n');
    if (carried.length + text.length > MAX_LINE_CHARACTERS) {
      throw new InputError(
        `${path}: line ${firstLine} is longer than ${MAX_LINE_CHARACTERS >> 20} Mi characters; is it a text file?`,
      );
    }
    if (end < 0) {
      carried += text;
      continue;
    }
    const lines = splitLines(carried + text.slice(0, end));
    carried = text.slice(end + 1);
    yield { firstLine, lines };
    firstLine += lines.length;
  }
  carried += decoder.decode();
  if (carried) yield { firstLine, lines: splitLines(carried) };
}

function splitLines(text: string): string[] {
  const lines = text.split('\n');
  if (text.includes('\r')) {
    for (let i = 0; i < lines.length; i++) if (lines[i].endsWith('\r')) lines[i] = lines[i].slice(0, -1);
  }
  return lines;
}

/** Whether a decoded text holds the mark that replaces bytes which were not UTF-8. */
export function isDamagedText(text: string): boolean {
  return text.includes('\uFFFD');
}
