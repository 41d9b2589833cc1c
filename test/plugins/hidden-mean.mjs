/** An objective from outside the repository: the target network's mean state of a whole record, told from a part of it. */
import { linear, squaredError, weightedMean } from 'lacuna/layers';
import { maskingOptions, randomPositions, selectedMask, selectRandom, z } from 'lacuna/objectives';

/**
 * After data2vec (Baevski et al., ICML 2022): the mean of the states instead of each, of the last layer alone.
 * @type {import('lacuna/objectives').Objective<{ masking_ratio: number, mean_momentum: number }>}
 */
const hiddenMean = {
  paper: 'after Baevski et al., "data2vec", ICML 2022',
  options: {
    masking_ratio: maskingOptions.masking_ratio,
    mean_momentum: {
      type: z.number().min(0).lt(1),
      description: 'share of the target network that stays at each step of hidden-mean',
      example: 0.99,
    },
  },
  defaults: (_spec, _encoder, { masking_ratio = 0.3, mean_momentum = 0.99 }) => ({
    masking_ratio,
    mean_momentum,
  }),
  ...randomPositions,
  build(_options, inputs) {
    const { encode, target, encoder, rows, shape } = inputs;
    const hidden = selectedMask(selectRandom(inputs), inputs.tokens);
    const visible = { choose: () => hidden, visible: shape.tokens };
    const part = encode({ hiding: visible }).pooled;
    const whole = target(() => encode().pooled);
    const told = linear('predictor', part, encoder.width);
    const { mean, weight } = weightedMean(squaredError(told, whole), rows);
    return { loss: mean, weight, hidden };
  },
  momentum: ({ mean_momentum }) => mean_momentum,
};

export default { objectives: { 'hidden-mean': hiddenMean } };
