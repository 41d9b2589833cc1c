/** The discrete Fourier transform of sequences whose length is a power of two (Cooley and Tukey, 1965). */

/** A transform of one length; its factors are computed once. */
export interface FourierTransform {
  readonly length: number;
  /** Replaces `real + i imaginary` by its transform: sums over `k` of `x[k] exp(-2 pi i j k / length)`. */
  run(real: Float64Array, imaginary: Float64Array): void;
}

/** Throws Error for a length that is no power of two. */
export function fourierTransform(length: number): FourierTransform {
  if (!(length >= 1 && Number.isInteger(Math.log2(length))))
    throw new Error(`fourierTransform: ${length} is no power of two`);
  const half = length / 2;
  const cosines = Float64Array.from({ length: half }, (_, k) => Math.cos((2 * Math.PI * k) / length));
  const sines = Float64Array.from({ length: half }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
  const bits = Math.log2(length);
  const reversed = Uint32Array.from({ length }, (_, index) => {
    let result = 0;
    for (let bit = 0; bit < bits; bit++) result |= ((index >> bit) & 1) << (bits - 1 - bit);
    return result;
  });
  return {
    length,
    run(real, imaginary) {
      for (let i = 0; i < length; i++) {
        const j = reversed[i];
        if (j <= i) continue;
        [real[i], real[j]] = [real[j], real[i]];
        [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
      }
      for (let size = 2; size <= length; size *= 2) {
        const middle = size / 2;
        const stride = length / size;
        for (let start = 0; start < length; start += size) {
          for (let k = 0; k < middle; k++) {
            const [low, high] = [start + k, start + k + middle];
            const [cosine, sine] = [cosines[k * stride], sines[k * stride]];
            const re = real[high] * cosine - imaginary[high] * sine;
            const im = real[high] * sine + imaginary[high] * cosine;
            real[high] = real[low] - re;
            imaginary[high] = imaginary[low] - im;
            real[low] += re;
            imaginary[low] += im;
          }
        }
      }
    },
  };
}
