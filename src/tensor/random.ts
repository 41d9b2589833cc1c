/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * A draw is a pure function of (seed, stream, counter), so any draw can be made again at any time, in any order,
 * by any number of workers, and a resumed run needs no generator state.
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/** One Philox4x32-10 block: writes four uint32 words to `out`. */
export function philox(
  out: Uint32Array,
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(c0 >>> 0, MULTIPLIER_0);
    const low0 = Math.imul(c0, MULTIPLIER_0) >>> 0;
    const high1 = multiplyHigh(c2 >>> 0, MULTIPLIER_1);
    const low1 = Math.imul(c2, MULTIPLIER_1) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** FNV-1a hash of a string to an unsigned 32-bit integer; turns names into streams and record ids into keys. */
export function hashString(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** A reproducible sequence of random numbers. */
export interface Random {
  /** Uniform in [0, 1), 24 bits. */
  uniform(): number;
  /** Uniform integer in [0, n), n at most 2^32. */
  integer(n: number): number;
  /** Standard normal (Box–Muller). */
  normal(): number;
}

/**
 * The sequence keyed by (seed, purpose) that starts at counter (a, b), for example (step, row).
 * Two sequences with different keys or counters are independent.
 */
export function random(seed: number, purpose: string, a = 0, b = 0): Random {
  const key: [number, number] = [seed >>> 0, hashString(purpose)];
  const counter: [number, number, number, number] = [0, Math.floor(seed / 2 ** 32) >>> 0, a >>> 0, b >>> 0];
  const words = new Uint32Array(4);
  let used = 4;
  let spare: number | undefined;
  const word = (): number => {
    if (used === 4) {
      philox(words, counter, key);
      counter[0]++;
      used = 0;
    }
    return words[used++];
  };
  const uniform = () => (word() >>> 8) / 2 ** 24;
  return {
    uniform,
    integer(n) {
      const limit = 2 ** 32 - (2 ** 32 % n);
      for (;;) {
        const draw = word();
        if (draw < limit) return draw % n;
      }
    },
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}

/** A random permutation of 0 … n-1 (Fisher–Yates). */
export function permutation(n: number, source: Random): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = source.integer(i + 1);
    const swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  return order;
}
