import { describe, expect, it } from 'vitest';
import { logMel, MEL_CHANNELS } from './log-mel.js';

const tone = (frequency: number, rate: number, seconds: number) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * frequency * i) / rate));

/** The channel that is loudest in the middle of a sound. */
function loudest(spectrogram: Float32Array): number {
  const steps = spectrogram.length / MEL_CHANNELS;
  const middle = spectrogram.subarray((steps >> 1) * MEL_CHANNELS, ((steps >> 1) + 1) * MEL_CHANNELS);
  return middle.indexOf(Math.max(...middle));
}

/** The pitch that a frequency has among 66 corners from 0 to half the rate. */
const channelOf = (frequency: number, rate: number) => {
  const mel = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
  return (mel(frequency) / mel(rate / 2)) * (MEL_CHANNELS + 1) - 1;
};

describe('a log-mel spectrogram', () => {
  it.each([8000, 16000, 44100])('at %i samples a second is loudest at the pitch of a tone', (rate) => {
    for (const frequency of [200, 440, 1000, 3000])
      expect(
        Math.abs(loudest(logMel(rate)(tone(frequency, rate, 0.5))) - channelOf(frequency, rate)),
      ).toBeLessThan(1);
  });

  it('has a step every 10 milliseconds where a window of 25 fits, and one step at least', () => {
    expect(logMel(16000)(new Float32Array(16000))).toHaveLength(98 * MEL_CHANNELS);
    expect(logMel(16000)(new Float32Array(10))).toHaveLength(MEL_CHANNELS);
  });

  it('of silence is finite, and every pitch hears something of noise', () => {
    for (const rate of [8000, 16000, 22050, 48000]) {
      const silence = logMel(rate)(new Float32Array(rate));
      expect(silence.every((value) => value === silence[0] && Number.isFinite(value))).toBe(true);
      let state = 1;
      const noise = Float32Array.from({ length: rate }, () => {
        state = (state * 48271) % 2147483647;
        return state / 2147483647 - 0.5;
      });
      expect(Math.min(...logMel(rate)(noise))).toBeGreaterThan(silence[0] + 1);
    }
  });
});
