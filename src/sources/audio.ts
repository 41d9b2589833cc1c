/** Sound from WAV files, as log-mel spectrograms. */
import { readFile } from 'node:fs/promises';
import { InputError } from '../errors.js';
import { logMel, MEL_CHANNELS } from '../records/readers/log-mel.js';
import { monoOf, parseWav, type Wav } from '../records/readers/wav.js';
import type { Decoder, Encoded } from './decoder.js';

export const AUDIO_ENDINGS: readonly string[] = ['wav'];

/**
 * What decodes WAV files of one rate to a column `series` of 64 channels every 10 ms (see `logMel`). The first readable one of
 * `looked` decides the rate; a file of another one is refused. Throws InputError where none of them can be read.
 */
export async function audioDecoder(
  looked: readonly Encoded[],
  where: string,
): Promise<Decoder<Float32Array>> {
  let first: Wav | undefined;
  let fault = '';
  for (const encoded of looked) {
    const wav = await read(encoded);
    if (typeof wav !== 'string') {
      first = wav;
      break;
    }
    fault ||= `${typeof encoded === 'string' ? `${encoded}: ` : ''}${wav}`;
  }
  if (!first) throw new InputError(`${where}: no sound could be read; ${fault}`);
  const { rate } = first;
  const spectrogram = logMel(rate);
  const steps = first.samples.length / first.channels;
  return {
    column: { name: 'series', type: 'series' },
    recordBytes: 4 * MEL_CHANNELS * Math.ceil((100 * steps) / rate),
    async decode(encoded) {
      const wav = await read(encoded);
      if (typeof wav === 'string') throw new Error(wav);
      if (wav.rate !== rate) {
        throw new Error(
          `${wav.rate} samples a second, expected ${rate} as in the first file; resample it, as by sox in.wav -r ${rate} out.wav`,
        );
      }
      return spectrogram(monoOf(wav));
    },
    pack(records) {
      const offsets = new Int32Array(records.length + 1);
      records.forEach((record, i) => {
        offsets[i + 1] = offsets[i] + record.length / MEL_CHANNELS;
      });
      const values = new Float32Array(offsets[records.length] * MEL_CHANNELS);
      records.forEach((record, i) => {
        values.set(record, offsets[i] * MEL_CHANNELS);
      });
      return { type: 'series', values, offsets, channels: MEL_CHANNELS };
    },
  };
}

async function read(encoded: Encoded): Promise<Wav | string> {
  if (typeof encoded !== 'string') return parseWav(encoded);
  try {
    return parseWav(await readFile(encoded));
  } catch (error) {
    return `cannot be read (${(error as Error).message})`;
  }
}
