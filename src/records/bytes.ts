/** The content of files as streams of bytes and lines, decompressed where they are gzipped. Memory stays constant. */
import { InputError } from '../errors.js';
import type { ByteFile } from './byte-file.js';

/** Longer lines than this would near the longest string the runtime can hold. */
const MAX_LINE_CHARACTERS = 1 << 28;

/** Whether a file starts with the gzip magic number. Names are not trusted. */
export async function isGzipped(file: ByteFile): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** The bytes of a file's content, decompressed. Throws InputError for a missing, truncated or corrupt file. */
export async function* byteChunks(file: ByteFile): AsyncGenerator<Uint8Array> {
  if (!(await isGzipped(file))) yield* file.stream();
  else if (file.gunzip) yield* file.gunzip();
  else yield* gunzip(file);
}

async function* gunzip(file: ByteFile): AsyncGenerator<Uint8Array> {
  const chunks = file.stream()[Symbol.asyncIterator]();
  const stored = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void (await chunks.return?.()),
  });
  try {
    yield* stored.pipeThrough(new DecompressionStream('gzip'));
  } catch (cause) {
    throw new InputError(
      `${file.name}: the gzip stream is truncated or corrupt (${(cause as Error).message}); copy or download the file again`,
      { cause },
    );
  }
}

/** The first bytes of a file's content, decompressed, at most `count`. */
export async function contentHead(file: ByteFile, count: number): Promise<Uint8Array> {
  if (!(await isGzipped(file))) return new Uint8Array(await file.slice(0, count).arrayBuffer());
  const head = new Uint8Array(count);
  let held = 0;
  for await (const chunk of byteChunks(file)) {
    const taken = chunk.subarray(0, count - held);
    head.set(taken, held);
    held += taken.length;
    if (held === count) break;
  }
  return head.subarray(0, held);
}

/** Decompresses a whole gzip file and checks its checksums, so that a damaged one is refused before it is read. */
export async function verifyGzip(file: ByteFile): Promise<void> {
  for await (const _ of byteChunks(file));
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
export async function* lineChunks(file: ByteFile): AsyncGenerator<LineChunk> {
  const decoder = new TextDecoder('utf-8');
  let firstLine = 1;
  let carried = '';
  for await (const bytes of byteChunks(file)) {
    const text = decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf('\n');
    if (carried.length + text.length > MAX_LINE_CHARACTERS) {
      throw new InputError(
        `${file.name}: line ${firstLine} is longer than ${MAX_LINE_CHARACTERS >> 20} Mi characters; is it a text file?`,
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
