import { describe, expect, it } from 'vitest';
import { encodeNpy, npyHeader } from './npy.js';

describe('npy', () => {
  it('writes the header of NEP 1', () => {
    const header = Buffer.from(npyHeader(3, 2));
    expect(header.length % 64).toBe(0);
    expect(header.subarray(0, 8)).toEqual(Buffer.from('\x93NUMPY\x01\x00', 'latin1'));
    expect(header.readUInt16LE(8)).toBe(header.length - 10);
    expect(header.toString('latin1', 10)).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 2\), \} *\n$/,
    );
  });

  it('has the same length for any shape, so that it can be replaced at the end', () => {
    expect(npyHeader(2 ** 52, 2 ** 31)).toHaveLength(npyHeader(0, 1).length);
  });

  it('streams blocks of rows and counts them', async () => {
    const blocks = [Float32Array.of(1, 2, 3, 4), new Float32Array(0), Float32Array.of(9, 5, 6).subarray(1)];
    const { chunks, header } = encodeNpy(2, blocks);
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const file = Buffer.concat(parts);
    file.set(header());
    expect(file.toString('latin1')).toContain("'shape': (3, 2)");
    expect(new Float32Array(new Uint8Array(file.subarray(header().length)).buffer)).toEqual(
      Float32Array.of(1, 2, 3, 4, 5, 6),
    );
  });

  it('refuses part of a row', async () => {
    const { chunks } = encodeNpy(2, [Float32Array.of(1, 2, 3)]);
    await expect(async () => {
      for await (const _ of chunks);
    }).rejects.toThrow('3 values are not whole rows of 2 columns');
  });
});
