import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fourierTransform } from './fft.js';

/** The sums of the definition, one for each frequency. */
function directSum(real: readonly number[], imaginary: readonly number[]) {
  const n = real.length;
  return real.map((_, j) => {
    let [re, im] = [0, 0];
    for (let k = 0; k < n; k++) {
      const angle = (-2 * Math.PI * j * k) / n;
      re += real[k] * Math.cos(angle) - imaginary[k] * Math.sin(angle);
      im += real[k] * Math.sin(angle) + imaginary[k] * Math.cos(angle);
    }
    return [re, im];
  });
}

describe('the Fourier transform', () => {
  it('is the direct sum, for every power of two', () => {
    const value = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }).chain((bits) => {
          const values = fc.array(value, { minLength: 2 ** bits, maxLength: 2 ** bits });
          return fc.tuple(values, values);
        }),
        ([real, imaginary]) => {
          const [re, im] = [Float64Array.from(real), Float64Array.from(imaginary)];
          fourierTransform(real.length).run(re, im);
          directSum(real, imaginary).forEach(([expectedRe, expectedIm], j) => {
            expect(re[j]).toBeCloseTo(expectedRe, 10);
            expect(im[j]).toBeCloseTo(expectedIm, 10);
          });
        },
      ),
    );
  });

  it('is refused for another length', () => {
    for (const length of [0, 3, 12, -2, 0.5]) expect(() => fourierTransform(length)).toThrow('power of two');
  });
});
