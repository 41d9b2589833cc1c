/** Text in other encodings than UTF-8: told from its first bytes or named by the user, and read as UTF-8. */
import { InputError } from '../../errors.js';
import type { ByteFile } from './byte-file.js';
import { byteChunks, isDamagedText } from './bytes.js';

/** The name of an encoding as `TextDecoder` knows it. Throws InputError for one that there is not. */
export function encodingNamed(name: string): string {
  try {
    return new TextDecoder(name).encoding;
  } catch (cause) {
    throw new InputError(
      `encoding: expected a name such as utf-8, windows-1252, utf-16le or shift_jis, got ${JSON.stringify(name)}`,
      { cause },
    );
  }
}

/**
 * The encoding of a text by its first bytes. A byte order mark tells it; UTF-16 without one has a zero in every other byte.
 * Throws InputError for text that is not UTF-8 and does not say what it is: a wrong guess would change letters silently.
 * A few damaged lines below the first are bad records, not another encoding.
 */
export function findEncoding(path: string, head: Uint8Array): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  const zeros = [0, 0];
  for (let i = 0; i < head.length; i++) if (head[i] === 0) zeros[i % 2]++;
  const half = head.length / 2;
  if (zeros[1] > 0.9 * half && zeros[0] === 0) return 'utf-16le';
  if (zeros[0] > 0.9 * half && zeros[1] === 0) return 'utf-16be';
  if (zeros[0] + zeros[1] > 0) return 'utf-8';
  const lines = new TextDecoder().decode(head).split('\n');
  const damaged = lines.flatMap((line, i) => (isDamagedText(line) ? [i] : []));
  // The end of the head may cut a character in two.
  if (damaged.at(-1) === lines.length - 1 && lines.length > 1) damaged.pop();
  if (damaged.length === 0 || (damaged[0] > 0 && damaged.length <= Math.max(1, lines.length / 100)))
    return 'utf-8';
  throw new InputError(
    `${path}: line ${damaged[0] + 1}: not UTF-8 text; if it is windows-1252, as Excel writes in western Europe, read it with --encoding windows-1252, or save it as UTF-8`,
  );
}

/** Chunks of text in an encoding as UTF-8. */
async function* recoded(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding);
  const encoder = new TextEncoder();
  for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
  yield encoder.encode(decoder.decode());
}

/** A text file in an encoding as one in UTF-8. Its size is that of the file as stored. */
export function recodedFile(file: ByteFile, encoding: string): ByteFile {
  if (encoding === 'utf-8') return file;
  const stream = () => recoded(byteChunks(file), encoding);
  return {
    name: file.name,
    size: file.size,
    recoded: true,
    stream,
    slice: (start, end) => ({ arrayBuffer: () => sliceOf(stream(), start, end) }),
  };
}

async function sliceOf(chunks: AsyncIterable<Uint8Array>, start: number, end: number): Promise<ArrayBuffer> {
  const taken = new Uint8Array(end - start);
  let [at, held] = [0, 0];
  for await (const chunk of chunks) {
    const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
    taken.set(part, held);
    held += part.length;
    at += chunk.length;
    if (at >= end) break;
  }
  return taken.buffer.slice(0, held);
}
