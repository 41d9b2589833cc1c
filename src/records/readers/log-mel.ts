/** Sound as a log-mel spectrogram: how loud it is at 64 pitches, every 10 milliseconds. */
import { type FourierTransform, fourierTransform } from '../../tensor/fft.js';

export const MEL_CHANNELS = 64;
const WINDOW_SECONDS = 0.025;
const STEP_SECONDS = 0.01;
/** Energies below this are silence, whose logarithm would be minus infinity. */
const SILENCE = 1e-10;

/** The pitch of a frequency in mel, and back (O'Shaughnessy, 1987). */
const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
const hertz = (mels: number): number => 700 * (10 ** (mels / 2595) - 1);

/** What turns samples of one rate into spectrograms. */
export type LogMel = (samples: Float32Array) => Float32Array;

/**
 * Spectrograms of samples at `rate` a second, float32[steps, 64]: a Hann window of 25 ms every 10 ms, its power spectrum,
 * 64 triangles that are spaced evenly in mel from 0 to half the rate, and the natural logarithm. A sound that is shorter
 * than a window is filled up with silence.
 */
export function logMel(rate: number): LogMel {
  const window = Math.max(2, Math.round(rate * WINDOW_SECONDS));
  const step = Math.max(1, Math.round(rate * STEP_SECONDS));
  // Twice as long as needed, so that the narrow triangles of low pitches hold frequencies of the transform.
  const transform = fourierTransform(2 * 2 ** Math.ceil(Math.log2(window)));
  const hann = Float64Array.from(
    { length: window },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window),
  );
  const triangles = melTriangles(rate, transform);
  return (samples) => {
    const steps = 1 + Math.max(0, Math.floor((samples.length - window) / step));
    const spectrogram = new Float32Array(steps * MEL_CHANNELS);
    const real = new Float64Array(transform.length);
    const imaginary = new Float64Array(transform.length);
    for (let k = 0; k < steps; k++) {
      real.fill(0);
      imaginary.fill(0);
      const end = Math.min(window, samples.length - k * step);
      for (let i = 0; i < end; i++) real[i] = samples[k * step + i] * hann[i];
      transform.run(real, imaginary);
      triangles.forEach(({ first, weights }, channel) => {
        let energy = 0;
        for (let i = 0; i < weights.length; i++)
          energy += weights[i] * (real[first + i] ** 2 + imaginary[first + i] ** 2);
        spectrogram[k * MEL_CHANNELS + channel] = Math.log(Math.max(energy, SILENCE));
      });
    }
    return spectrogram;
  };
}

/** The weights of a pitch, from the frequency `first` of the transform on. */
interface Triangle {
  readonly first: number;
  readonly weights: Float64Array;
}

function melTriangles(rate: number, { length }: FourierTransform): Triangle[] {
  const highest = mel(rate / 2);
  const corners = Array.from({ length: MEL_CHANNELS + 2 }, (_, i) =>
    hertz((highest * i) / (MEL_CHANNELS + 1)),
  );
  const width = rate / length;
  return Array.from({ length: MEL_CHANNELS }, (_, channel) => {
    const [low, peak, high] = corners.slice(channel, channel + 3);
    const first = Math.ceil(low / width);
    const last = Math.min(length / 2, Math.floor(high / width));
    const weights = Float64Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => {
      const frequency = (first + i) * width;
      const weight =
        frequency <= peak ? (frequency - low) / (peak - low) : (high - frequency) / (high - peak);
      return Math.max(0, weight);
    });
    return { first, weights };
  });
}
