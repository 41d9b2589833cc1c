/** The content of files as streams of bytes and lines, decompressed where they are compressed. Memory stays constant. */
import { InputError } from '../../errors.js';
import type { ByteFile } from './byte-file.js';
import { compressionOf, decompressed } from './compression.js';

/** Longer lines than this would near the longest string the runtime can hold. */
const MAX_LINE_CHARACTERS = 1 << 28;

/** Whether a file starts with the gzip magic number. Names are not trusted. */
export async function isGzipped(file: ByteFile): Promise<boolean> {
  return (await compressionOf(file))?.kind === 'gzip';
}

/** The bytes of a file's content, decompressed. Throws InputError for a missing, truncated or corrupt file. */
export async function* byteChunks(file: ByteFile): AsyncGenerator<Uint8Array> {
  const compression = await compressionOf(file);
  if (compression) yield* decompressed(file, compression);
  else yield* file.stream();
}

const sizes = new WeakMap<ByteFile, number>();

/**
 * Bytes of a file's content. A compressed file is decompressed once from beginning to end to count them, but no further
 * than where they are more than `most`.
 */
export async function contentSize(file: ByteFile, most = Number.POSITIVE_INFINITY): Promise<number> {
  if (!(await compressionOf(file))) return file.size;
  const known = sizes.get(file);
  if (known !== undefined) return known;
  let size = 0;
  for await (const chunk of byteChunks(file)) {
    size += chunk.length;
    if (size > most) return size;
  }
  sizes.set(file, size);
  return size;
}

/** Line ends and the comma: what ends a line, a cell or an element of the formats of text. */
const ENDS = [10, 44, 13];

/**
 * Decompresses a whole text once and checks its checksums, so that a damaged one is refused before it is read, and one with
 * a piece that no cell can hold where that is reached, not at its end. A file that is not compressed is left alone.
 */
export async function verifyCompressedText(file: ByteFile): Promise<void> {
  if (!(await compressionOf(file)) || sizes.has(file)) return;
  let [size, piece] = [0, 0];
  for await (const chunk of byteChunks(file)) {
    size += chunk.length;
    let end = -1;
    for (let i = 0; end < 0 && i < ENDS.length; i++) end = chunk.lastIndexOf(ENDS[i]);
    piece = end < 0 ? piece + chunk.length : chunk.length - 1 - end;
    if (piece > MAX_LINE_CHARACTERS) {
      throw new InputError(
        `${file.name}: unpacks to more than ${MAX_LINE_CHARACTERS >> 20} MiB without a line end or a comma; is it a text file?`,
      );
    }
  }
  sizes.set(file, size);
}

/** The whole content. Throws InputError where it is longer than `limit` bytes; `instead` says what to do then. */
export async function wholeContent(file: ByteFile, limit: number, instead: string): Promise<Uint8Array> {
  const size = await contentSize(file, limit);
  if (size > limit) {
    throw new InputError(
      `${file.name}: more than ${limit >> 20} MiB, the most that is read in this format; ${instead}`,
    );
  }
  const whole = new Uint8Array(size);
  let held = 0;
  for await (const chunk of byteChunks(file)) {
    if (held + chunk.length > size) throw new InputError(`${file.name}: grew while it was read`);
    whole.set(chunk, held);
    held += chunk.length;
  }
  return whole.subarray(0, held);
}

/** The first bytes of a file's content, decompressed, at most `count`. */
export async function contentHead(file: ByteFile, count: number): Promise<Uint8Array> {
  if (!(await compressionOf(file))) return new Uint8Array(await file.slice(0, count).arrayBuffer());
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

export interface LineChunk {
  /** Line number of `lines[0]`, counted from 1. */
  readonly firstLine: number;
  readonly lines: readonly string[];
}

/** Whether CR alone ends the lines, as on old Macs, is told from so many bytes at the start. */
const LINE_END_BYTES = 1 << 20;

/** Whether CR alone ends the lines of a text that begins so: it has CR and no LF. */
export const endsInCr = (head: Uint8Array): boolean => head.includes(13) && !head.includes(10);

/** The bytes with each LF in the place of a CR. */
export async function* lineFeeds(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield chunk.map((byte) => (byte === 13 ? 10 : byte));
}

/**
 * The lines of a UTF-8 text, without their ends (LF, CRLF, or CR alone where the text begins without any LF), about a
 * megabyte at a time. A byte order mark is dropped. Bytes that are not UTF-8 arrive as U+FFFD; `isDamagedText` finds them.
 */
export async function* lineChunks(file: ByteFile): AsyncGenerator<LineChunk> {
  const inCr = endsInCr(await contentHead(file, LINE_END_BYTES));
  const decoder = new TextDecoder('utf-8');
  let firstLine = 1;
  let carried = '';
  for await (const bytes of inCr ? lineFeeds(byteChunks(file)) : byteChunks(file)) {
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
