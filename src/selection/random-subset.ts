import { permutation, random } from '../tensor/random.js';
import { type Selector, wantedOf } from './selector.js';

/** So many records drawn at random: what the others have to be better than. */
export const randomSubset: Selector = {
  description: 'drawn at random, to compare the others with',
  value: 'draw',
  async select(pool) {
    const { vectors, width, seed } = pool;
    const all = permutation(vectors.length / width, random(seed, 'random subset'));
    const order = all.subarray(0, wantedOf(pool));
    return { records: Int32Array.from(order), values: Float64Array.from(order, (_, i) => i) };
  },
};
