/** Whether a file is compressed, and how: gzip, zstd, or a zip archive of one file. Names are not trusted. */
import { InputError } from '../../errors.js';
import { isZip } from '../magic.js';
import type { ByteFile } from './byte-file.js';
import { pushThrough } from './push-through.js';
import type { ZipMember } from './zip.js';
import { ZstdWindows } from './zstd-windows.js';

/** How a file is compressed. */
export type Compression =
  | { readonly kind: 'gzip' | 'zstd' }
  /** An archive with this one file in it. */
  | { readonly kind: 'zip'; readonly member: ZipMember };

/** Endings that say how a file is compressed; the ending before says what it holds. */
export const compressionEndings = { gz: 'gzip', zst: 'zstd', zip: 'zip' } as const;

/** The most that a block of zstd holds; four bytes may stand for it. */
const MAX_BLOCK_BYTES = 1 << 17;
const PUSHED_BYTES = 1 << 12;
/** Of zstd -22; more is asked for by --long alone. */
const MAX_WINDOW_BYTES = 1 << 27;
/** Windows of all frames together, however little they hold, and for each compressed byte beyond: clearing them takes seconds. */
const MAX_WINDOWS_BYTES = 2 ** 32;
const WINDOW_FOR_BYTE = 1024;

const known = new WeakMap<ByteFile, Promise<Compression | undefined>>();

/**
 * How a file is compressed; undefined where it is not, and for zip archives that are a format of their own or hold several
 * files (see `zipContent`). Throws InputError for a damaged archive.
 */
export function compressionOf(file: ByteFile): Promise<Compression | undefined> {
  let found = known.get(file);
  if (!found) {
    found = findCompression(file);
    known.set(file, found);
  }
  return found;
}

async function findCompression(file: ByteFile): Promise<Compression | undefined> {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: 'gzip' };
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return { kind: 'zstd' };
  if (!isZip(head)) return undefined;
  const members = await (await import('./zip.js')).zipMembers(file);
  return members.length === 1 && zipContent(members) === 'files'
    ? { kind: 'zip', member: members[0] }
    : undefined;
}

/** What the files of an archive make together: a format that is a zip archive, or files that were packed. */
export function zipContent(members: readonly ZipMember[]): 'npz' | 'xlsx' | 'files' {
  if (members.some(({ name }) => name === 'xl/workbook.xml')) return 'xlsx';
  return members.length > 0 && members.every(({ name }) => name.endsWith('.npy')) ? 'npz' : 'files';
}

/** A file's name without the endings of its compression; of an archive named plainly, the name of the file in it. */
export async function contentName(file: ByteFile): Promise<string> {
  const name = withoutCompression(file.name);
  const compression = await compressionOf(file);
  const telling = /\.[^./\\]+$/.test(name.slice(name.search(/[^/\\]*$/)));
  return compression?.kind === 'zip' && !telling ? withoutCompression(compression.member.name) : name;
}

/** A name without `.gz`, `.zst` or `.zip` at its end. */
export const withoutCompression = (name: string): string => name.replace(/\.(gz|zst|zip)$/i, '');

/** The content of a compressed file as a stream. Throws InputError where it is truncated or corrupt. */
export async function* decompressed(file: ByteFile, compression: Compression): AsyncGenerator<Uint8Array> {
  if (compression.kind === 'zip') yield* (await import('./zip.js')).memberChunks(file, compression.member);
  else if (compression.kind === 'zstd') yield* unzstd(file);
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
    // A browser's types say that it takes buffers too, which this one never gets.
    yield* stored.pipeThrough(
      new DecompressionStream('gzip') as unknown as TransformStream<Uint8Array, Uint8Array>,
    );
  } catch (cause) {
    throw new InputError(
      `${file.name}: the gzip stream is truncated or corrupt (${(cause as Error).message}); copy or download it again`,
      { cause },
    );
  }
}

async function* unzstd(file: ByteFile): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  try {
    yield* pushThrough(smallWindows(file), PUSHED_BYTES, (give) => new Decompress((data) => give(data)));
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(
      `${file.name}: the zstd stream is truncated or corrupt (${(cause as Error).message}); copy or download it again`,
      { cause },
    );
  }
}

/** The chunks of a file. Throws InputError before the decoder takes memory that no file as zstd writes it asks for. */
async function* smallWindows(file: ByteFile): AsyncGenerator<Uint8Array> {
  const windows = new ZstdWindows();
  let bytes = 0;
  for await (const chunk of file.stream()) {
    bytes += chunk.length;
    if (windows.largest(chunk) > MAX_WINDOW_BYTES) {
      throw new InputError(
        `${file.name}: compressed by zstd with a window beyond ${MAX_WINDOW_BYTES >> 20} MiB; decompress it with zstd -d --long=31`,
      );
    }
    if (windows.together > MAX_WINDOWS_BYTES + WINDOW_FOR_BYTE * bytes) {
      throw new InputError(
        `${file.name}: so many zstd frames for so little content that their windows take gigabytes; decompress it with zstd -d`,
      );
    }
    if (windows.longestBlock > MAX_BLOCK_BYTES)
      throw new Error(`a block of ${windows.longestBlock} bytes, of which ${MAX_BLOCK_BYTES} are the most`);
    yield chunk;
  }
}
