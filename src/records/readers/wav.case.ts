/** WAV files for tests. */

/** A file of samples as they are stored: `code` 1 for whole numbers, 3 for floats. */
export function wavFile(
  data: ArrayBufferView,
  { rate = 16000, channels = 1, bits = 16, code = 1, extensible = false } = {},
): Uint8Array {
  const format = new DataView(new ArrayBuffer(extensible ? 40 : 16));
  format.setUint16(0, extensible ? 0xfffe : code, true);
  format.setUint16(2, channels, true);
  format.setUint32(4, rate, true);
  format.setUint32(8, (rate * channels * bits) / 8, true);
  format.setUint16(12, (channels * bits) / 8, true);
  format.setUint16(14, bits, true);
  if (extensible) format.setUint16(24, code, true);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([
    chunk(
      'RIFF',
      Buffer.concat([
        Buffer.from('WAVE'),
        chunk('LIST', Buffer.from('odd')),
        chunk('fmt ', new Uint8Array(format.buffer)),
        chunk('data', bytes),
      ]),
    ),
  ]);
}

function chunk(name: string, content: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.write(name);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
}

/** A tone as samples of 16 bits. */
export const toneSamples = (frequency: number, rate: number, count: number): Int16Array =>
  Int16Array.from({ length: count }, (_, i) => 12_000 * Math.sin((2 * Math.PI * frequency * i) / rate));
