import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';
import { elementCount, type HostTensor, hostTensor } from './tensor.js';

const file = (tensors: Record<string, HostTensor>, metadata: Record<string, string> = {}) =>
  new Uint8Array(Buffer.concat(encodeSafetensors(tensors, metadata)));

/** A file with this header, written by hand, and this many data bytes. */
function raw(header: string, dataBytes = 0): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataBytes)]);
}

const example = {
  'layer.weight': hostTensor('float32', [2, 3], Float32Array.of(1, -2, 3.5, Number.NaN, Infinity, -0)),
  mask: hostTensor('bool', [3], Uint8Array.of(1, 0, 1)),
  ids: hostTensor('int32', [2, 1], Int32Array.of(-1, 7)),
  positions: hostTensor('int64', [2], BigInt64Array.of(-(2n ** 63n), 5n)),
  scalar: hostTensor('float32', [], Float32Array.of(4)),
  nothing: hostTensor('float32', [0, 8], new Float32Array(0)),
};

describe('safetensors', () => {
  it('has the published layout: length, JSON header padded to 8 bytes, data', () => {
    const bytes = Buffer.from(
      file({ x: hostTensor('float32', [1, 2], Float32Array.of(1, 2)) }, { step: '3' }),
    );
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.toString('utf8', 8, 8 + length))).toEqual({
      __metadata__: { step: '3' },
      x: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    });
    expect([bytes.readFloatLE(8 + length), bytes.readFloatLE(12 + length)]).toEqual([1, 2]);
  });

  it('gives back what went in, at any alignment of the file in memory', () => {
    const bytes = file(example, { note: 'größer' });
    for (const shift of [0, 1, 4]) {
      const shifted = new Uint8Array(bytes.length + shift);
      shifted.set(bytes, shift);
      const { tensors, metadata } = decodeSafetensors(shifted.subarray(shift));
      expect(tensors).toEqual(example);
      expect(metadata).toEqual({ note: 'größer' });
    }
  });

  it('neither copies when it writes nor when it reads an aligned file', () => {
    const weight = example['layer.weight'];
    expect(encodeSafetensors({ weight })[1].buffer).toBe(weight.data.buffer);
    const bytes = file(example);
    for (const { data } of Object.values(decodeSafetensors(bytes).tensors))
      expect(data.buffer).toBe(bytes.buffer);
  });

  it('round-trips any names and shapes', () => {
    const tensor = fc
      .array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 })
      .map((shape) => hostTensor('float32', shape, new Float32Array(elementCount(shape)).fill(2)));
    fc.assert(
      fc.property(fc.dictionary(fc.string(), tensor), (tensors) => {
        expect({ ...decodeSafetensors(file(tensors)).tensors }).toEqual({ ...tensors });
      }),
    );
  });

  it('refuses a file cut at any byte, or with bytes added', () => {
    const bytes = file(example);
    for (let end = 0; end < bytes.length; end++)
      expect(() => decodeSafetensors(bytes.subarray(0, end)), `cut at ${end}`).toThrow(InputError);
    expect(() => decodeSafetensors(Buffer.concat([bytes, Buffer.alloc(3)]))).toThrow(
      '3 bytes follow the last tensor',
    );
  });

  it('fails only with InputError, whatever the bytes', () => {
    const bytes = file(example, { step: '1' });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice();
        damaged[at] ^= flip;
        try {
          decodeSafetensors(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
    );
  });

  const entry = (dtype: unknown, shape: unknown, offsets: unknown) =>
    JSON.stringify({ dtype, shape, data_offsets: offsets });
  it.each<[string, Uint8Array]>([
    ['f.st: expected a safetensors file of at least 8 bytes, got 3 bytes', new Uint8Array(3)],
    ['not a safetensors file', Buffer.from('id,label\n1,2\n3,4\n')],
    ['truncated: the header ends at byte 10, the file at byte 9', raw('{}').subarray(0, 9)],
    ['the header is not valid JSON', raw('{"a":')],
    ['the header is not valid JSON', raw('\xff')],
    ['the header is not a JSON object', raw('[]')],
    ['__metadata__ must map names to strings', raw('{"__metadata__":{"step":1}}')],
    ['tensor "a" needs dtype, shape and data_offsets', raw('{"a":{}}')],
    ['tensor "a" has dtype "F16"; known are I64, F32', raw(`{"a":${entry('F16', [1], [0, 2])}}`, 2)],
    ['tensor "a" has shape [-1]', raw(`{"a":${entry('F32', [-1], [0, 4])}}`, 4)],
    ['tensor "a" has data_offsets [4,0]', raw(`{"a":${entry('F32', [1], [4, 0])}}`, 4)],
    ['tensor "a", F32[2], needs 8 bytes, data_offsets give 4', raw(`{"a":${entry('F32', [2], [0, 4])}}`, 4)],
    [
      'tensor "b" starts at data byte 2 and overlaps tensor "a", which ends at 4',
      raw(`{"a":${entry('F32', [1], [0, 4])},"b":${entry('F32', [1], [2, 6])}}`, 6),
    ],
    ['leaves a gap after the header', raw(`{"a":${entry('F32', [1], [4, 8])}}`, 8)],
    [
      'truncated: the tensors need 8 bytes after the header, the file has 5',
      raw(`{"a":${entry('F32', [2], [0, 8])}}`, 5),
    ],
  ])('says what is wrong: %s', (message, bytes) => {
    expect(() => decodeSafetensors(bytes, 'f.st')).toThrow(message);
  });
});
