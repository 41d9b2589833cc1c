import { describe, expect, it } from 'vitest';
import { ZstdWindows } from './zstd-windows.js';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** A stored block of three bytes, the last of its frame. */
const block = [1 | (3 << 3), 0, 0, 7, 7, 7];
/** A run of 100 bytes, and a stored block behind it. */
const blocks = [(1 << 1) | ((100 & 31) << 3), 100 >> 5, 0, 9, ...block];

describe('the windows of zstd frames', () => {
  it.each<[string, number[], number[]]>([
    ['a window of 2^(10 + 5) and three eighths', [...MAGIC, 0x00, (5 << 3) | 3, ...block], [45056]],
    ['one segment of 3 bytes', [...MAGIC, 0x20, 3, ...block], [3]],
    ['one segment whose size has two bytes', [...MAGIC, 0x60, 0, 1, ...block], [512]],
    ['a size of eight bytes', [...MAGIC, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, ...block], [2 ** 32]],
    [
      'a frame with a dictionary and a checksum, one that is passed over, and another',
      [
        ...MAGIC,
        0x04 | 1,
        0,
        77,
        ...blocks,
        1,
        2,
        3,
        4,
        0x53,
        0x2a,
        0x4d,
        0x18,
        2,
        0,
        0,
        0,
        5,
        5,
        ...MAGIC,
        0x00,
        8,
        ...block,
      ],
      [1024, 2048],
    ],
    ['what is no zstd', [1, 2, 3, 4, 0x00, 0xff], []],
  ])('%s', (_, stream, expected) => {
    const whole = new ZstdWindows();
    expect(whole.largest(Uint8Array.from(stream))).toBe(Math.max(0, ...expected));
    const pieces = new ZstdWindows();
    const found = stream.map((byte) => pieces.largest(Uint8Array.of(byte))).filter((window) => window > 0);
    expect(found).toEqual(expected);
  });

  it('adds them up, and tells the longest block', () => {
    const windows = new ZstdWindows();
    windows.largest(Uint8Array.from([...MAGIC, 0x00, 8, ...blocks, ...MAGIC, 0x00, 0, ...block]));
    expect(windows.together).toBe(3072);
    expect(windows.longestBlock).toBe(100);
  });
});
