import { permutation, random } from '../tensor/random.js';
import type { Selector } from './selector.js';

/** So many records drawn at random: what the others have to be better than. */
export const randomSubset: Selector = {
  description: 'drawn at random, to compare the others with',
  value: 'draw',
  async select({ vectors, width, count, seed }) {
    const order = permutation(vectors.length / width, random(seed, 'random subset')).subarray(0, count);
    return { records: Int32Array.from(order), values: Float64Array.from(order, (_, i) => i) };
  },
};
