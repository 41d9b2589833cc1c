import { describe, expect, it } from 'vitest';
import { wavFile } from './wav.case.js';
import { monoOf, parseWav, type Wav } from './wav.js';

const parsed = (bytes: Uint8Array): Wav => {
  const wav = parseWav(bytes);
  if (typeof wav === 'string') throw new Error(wav);
  return wav;
};

describe('a WAV file', () => {
  it.each<[string, ArrayBufferView, { bits: number; code?: number; extensible?: boolean }]>([
    ['8 bits', Uint8Array.of(64, 128, 192, 0), { bits: 8 }],
    ['16 bits', Int16Array.of(-16384, 0, 16384, -32768), { bits: 16 }],
    ['24 bits', Uint8Array.of(0, 0, 0xc0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0x80), { bits: 24 }],
    ['32 bits', Int32Array.of(-(2 ** 30), 0, 2 ** 30, -(2 ** 31)), { bits: 32 }],
    ['floats', Float32Array.of(-0.5, 0, 0.5, -1), { bits: 32, code: 3 }],
    ['floats of 64 bits', Float64Array.of(-0.5, 0, 0.5, -1), { bits: 64, code: 3 }],
    [
      '16 bits in the extensible form',
      Int16Array.of(-16384, 0, 16384, -32768),
      { bits: 16, extensible: true },
    ],
  ])('of %s gives its samples between -1 and 1', (_, data, options) => {
    expect(parsed(wavFile(data, options))).toEqual({
      rate: 16000,
      channels: 1,
      samples: Float32Array.of(-0.5, 0, 0.5, -1),
    });
  });

  it('keeps its channels, whose mean is the sound of one', () => {
    const wav = parsed(wavFile(Float32Array.of(0.5, 0, -1, 0.5), { channels: 2, bits: 32, code: 3 }));
    expect(wav.channels).toBe(2);
    expect(monoOf(wav)).toEqual(Float32Array.of(0.25, -0.25));
  });

  it('is refused in words where it is another file, cut off, empty or of another coding', () => {
    const good = wavFile(Int16Array.of(1, 2, 3, 4));
    expect(parseWav(new TextEncoder().encode('not a wav file'))).toContain('not a WAV file');
    expect(parseWav(good.subarray(0, good.length - 3))).toContain('truncated; its header announces 8 bytes');
    expect(parseWav(wavFile(new Int16Array(0)))).toBe('no samples in it');
    expect(parseWav(wavFile(Int16Array.of(1), { code: 7 }))).toContain('format 7 with 16 bits');
    expect(parseWav(wavFile(Int16Array.of(1), { channels: 0 }))).toContain('0 channels');
    for (let end = 0; end < good.length; end++) expect(typeof parseWav(good.subarray(0, end))).toBe('string');
  });
});
