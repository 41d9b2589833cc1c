import { describe, expect, it } from 'vitest';
import { decodeLz4Frame } from './lz4.js';

/** A frame of version 1 with independent blocks, and no checksums. */
function frame(...blocks: readonly { stored?: boolean; bytes: readonly number[] }[]): Uint8Array {
  const body = blocks.flatMap(({ stored, bytes }) => [
    bytes.length & 255,
    (bytes.length >> 8) & 255,
    0,
    stored ? 0x80 : 0,
    ...bytes,
  ]);
  return Uint8Array.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, ...body, 0, 0, 0, 0]);
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const codes = (word: string) => [...new TextEncoder().encode(word)];

describe('an LZ4 frame', () => {
  it('gives literals, copies that overlap themselves, and lengths beyond 15', () => {
    // "ab" once, then 20 bytes copied from 2 before, then the literal "!".
    const block = [0x2f, ...codes('ab'), 2, 0, 1, 0x10, ...codes('!')];
    expect(text(decodeLz4Frame(frame({ bytes: block }), 23))).toBe(`${'ab'.repeat(11)}!`);
    const literals = 'x'.repeat(300);
    const long = [0xf0, 255, 30, ...codes(literals)];
    expect(text(decodeLz4Frame(frame({ bytes: long }), 300))).toBe(literals);
  });

  it('gives stored blocks, and copies from the block before', () => {
    const first = { stored: true, bytes: codes('hello ') };
    const second = { bytes: [0x02, 6, 0] };
    expect(text(decodeLz4Frame(frame(first, second), 12))).toBe('hello hello ');
  });

  it('is refused where it is cut off, points before its start, or is of another size', () => {
    const good = frame({ bytes: [0x2f, ...codes('ab'), 2, 0, 1, 0x10, ...codes('!')] });
    for (let end = 0; end < good.length; end++)
      expect(() => decodeLz4Frame(good.subarray(0, end), 23)).toThrow(/LZ4/);
    for (const size of [22, 24, 1e15, -1, Number.NaN])
      expect(() => decodeLz4Frame(good, size)).toThrow(/LZ4/);
    expect(() => decodeLz4Frame(frame({ bytes: [0x10, 65, 9, 0, 0] }), 5)).toThrow(/not there/);
  });
});
