/** An objective that fails in the second of several processes, after some batches. */
import {
  maskedAutoencoding,
  maskingDefaults,
  maskingOptions,
  randomPositions,
  selectRandom,
} from 'lacuna/objectives';

const BATCHES = 20;
let drawn = 0;

/** @type {import('lacuna/objectives').Objective<import('lacuna/objectives').MaskingOptions>} */
const stumbling = {
  paper: 'none',
  options: maskingOptions,
  defaults: maskingDefaults,
  byRecord: () => 'noise and loss',
  noise: randomPositions.noise,
  draw(...given) {
    const { OMPI_COMM_WORLD_RANK, PMI_RANK } = process.env;
    if ((OMPI_COMM_WORLD_RANK ?? PMI_RANK) === '1' && ++drawn > BATCHES)
      throw new Error('a stone in the way');
    return randomPositions.draw(...given);
  },
  build: (options, inputs) => maskedAutoencoding(options, inputs, () => selectRandom(inputs)),
};

export default { objectives: { stumbling } };
