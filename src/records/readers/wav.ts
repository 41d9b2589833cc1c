/** WAV files: a header in chunks, then samples as whole numbers of 8 to 32 bits or as floats. */

/** Sound as read. */
export interface Wav {
  /** Samples a second. */
  readonly rate: number;
  readonly channels: number;
  /** float32[steps, channels], -1 to 1. */
  readonly samples: Float32Array;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** No sound is written faster, and a spectrogram's windows grow with it. */
const MOST_RATE = 1_000_000;
/** What is written for the length where it was not known. */
const UNKNOWN_LENGTH = 0xffffffff;

/** What is read of a file, or in words why it is not. */
export function parseWav(bytes: Uint8Array): Wav | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || word(0) !== 'RIFF' || word(8) !== 'WAVE')
    return 'not a WAV file (it does not begin with RIFF and WAVE)';
  let format: { code: number; channels: number; rate: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (word(at) === 'data') {
      if (!format) return 'its data come before their format';
      const end = size === UNKNOWN_LENGTH ? bytes.length : start + size;
      if (end > bytes.length)
        return `truncated; its header announces ${size} bytes of samples, ${end - bytes.length} are missing`;
      return samplesOf(new DataView(bytes.buffer, bytes.byteOffset + start, end - start), format);
    }
    if (word(at) === 'fmt ') {
      if (start + 16 > bytes.length) return 'its header is truncated';
      const code = view.getUint16(start, true);
      const extended = code === EXTENSIBLE && size >= 26 && start + 26 <= bytes.length;
      format = {
        code: extended ? view.getUint16(start + 24, true) : code,
        channels: view.getUint16(start + 2, true),
        rate: view.getUint32(start + 4, true),
        bits: view.getUint16(start + 14, true),
      };
    }
    // Chunks begin at even places.
    at = start + size + (size % 2);
  }
  return 'no samples in it';
}

function samplesOf(
  data: DataView,
  { code, channels, rate, bits }: { code: number; channels: number; rate: number; bits: number },
): Wav | string {
  const read = code === PCM ? wholeNumbers[bits] : code === FLOAT ? floats[bits] : undefined;
  if (!read)
    return `samples of format ${code} with ${bits} bits; expected PCM of 8, 16, 24 or 32 bits, or floats`;
  if (channels === 0 || rate === 0 || rate > MOST_RATE)
    return `${channels} channels of ${rate} samples a second; expected 1 to ${MOST_RATE}`;
  const width = bits / 8;
  const steps = Math.floor(data.byteLength / (width * channels));
  if (steps === 0) return 'no samples in it';
  const samples = new Float32Array(steps * channels);
  for (let i = 0; i < samples.length; i++) samples[i] = read(data, i * width);
  return { rate, channels, samples };
}

type SampleAt = (data: DataView, at: number) => number;

const wholeNumbers: Readonly<Record<number, SampleAt>> = {
  8: (data, at) => (data.getUint8(at) - 128) / 128,
  16: (data, at) => data.getInt16(at, true) / 2 ** 15,
  24: (data, at) => ((data.getInt8(at + 2) << 16) | data.getUint16(at, true)) / 2 ** 23,
  32: (data, at) => data.getInt32(at, true) / 2 ** 31,
};

const floats: Readonly<Record<number, SampleAt>> = {
  32: (data, at) => data.getFloat32(at, true),
  64: (data, at) => data.getFloat64(at, true),
};

/** The mean of the channels of each step. */
export function monoOf({ channels, samples }: Wav): Float32Array {
  if (channels === 1) return samples;
  const mono = new Float32Array(samples.length / channels);
  for (let step = 0; step < mono.length; step++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += samples[step * channels + channel];
    mono[step] = sum / channels;
  }
  return mono;
}
