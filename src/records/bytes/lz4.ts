/** LZ4 frames, as compressed Arrow buffers are (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). */

const MAGIC = 0x184d2204;
/** A byte of a block stands for at most so many. */
const MOST_EXPANSION = 255;

/** The content of one frame, which must have `size` bytes. Throws Error for one that is truncated or corrupt; checksums are not checked. */
export function decodeLz4Frame(frame: Uint8Array, size: number): Uint8Array {
  if (!(size >= 0 && size <= frame.length * MOST_EXPANSION)) throw corrupt('an impossible size');
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < 7 || view.getUint32(0, true) !== MAGIC) throw corrupt('no LZ4 frame');
  const flags = frame[4];
  if (flags >> 6 !== 1) throw corrupt(`version ${flags >> 6}`);
  const blockChecksum = flags & 0x10 ? 4 : 0;
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
  const content = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    if (at + 4 > frame.length) throw corrupt('no end');
    const length = view.getUint32(at, true);
    at += 4;
    if (length === 0) break;
    const stored = length >= 2 ** 31;
    const end = at + (length % 2 ** 31);
    if (end > frame.length) throw corrupt('a block beyond its end');
    const block = frame.subarray(at, end);
    if (!stored) filled = decodeBlock(block, content, filled);
    else if (filled + block.length > size) throw corrupt('more than announced');
    else {
      content.set(block, filled);
      filled += block.length;
    }
    at = end + blockChecksum;
  }
  if (filled !== size) throw corrupt('less than announced');
  return content;
}

/** What one block without a frame stands for, `size` bytes. Throws Error where it is truncated or corrupt. */
export function decodeLz4Block(block: Uint8Array, size: number): Uint8Array {
  const content = new Uint8Array(size);
  if (decodeBlock(block, content, 0) !== size) throw corrupt('less than announced');
  return content;
}

/** Appends what a block stands for: literal bytes, then a copy of earlier ones, again and again. Returns where it ends. */
function decodeBlock(block: Uint8Array, content: Uint8Array, start: number): number {
  let at = 0;
  let filled = start;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let byte = 255; byte === 255; length += byte) {
      if (at === block.length) throw corrupt('a length that is cut off');
      byte = block[at++];
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++];
    const literals = lengthFrom(token >> 4);
    if (at + literals > block.length || filled + literals > content.length)
      throw corrupt('literals beyond the end');
    content.set(block.subarray(at, at + literals), filled);
    at += literals;
    filled += literals;
    if (at === block.length) break;
    if (at + 2 > block.length) throw corrupt('an offset that is cut off');
    const offset = block[at] | (block[at + 1] << 8);
    at += 2;
    const length = lengthFrom(token & 15) + 4;
    if (offset === 0 || offset > filled || filled + length > content.length)
      throw corrupt('a copy of bytes that are not there');
    // Byte by byte: a copy may overlap what it writes.
    for (const end = filled + length; filled < end; filled++) content[filled] = content[filled - offset];
  }
  return filled;
}

const corrupt = (why: string) => new Error(`a corrupt LZ4 buffer: ${why}`);
