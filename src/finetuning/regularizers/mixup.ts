import { input } from '../../graph/index.js';
import { weightedMean } from '../../layers/losses.js';
import { permutation } from '../../tensor/random.js';
import { hostTensor } from '../../tensor/tensor.js';
import { column, drawBeta, mix, mixedLosses, mixupAlpha, rowsAt } from './mixing.js';
import type { Regularizer } from './regularizer.js';

/**
 * Mixup of hidden states: what the head reads of a record is mixed with that of another, λ h + (1 − λ) h' with λ from
 * Beta(α, α), and so is the loss of their labels. Departure: it is always mixed before the head, where manifold mixup draws
 * a layer, since hidden states of tokens have no order in common.
 */
export const mixup: Regularizer = {
  paper: 'Zhang et al., ICLR 2018; Verma et al., ICML 2019',
  tasks: ['regression', 'binary', 'multiclass', 'multilabel'],
  options: { mixup_alpha: mixupAlpha },
  defaults: { mixup_alpha: 1 },
  draw({ mixup_alpha: alpha = 1 }, { size, rows }, source) {
    const order = permutation(rows, source('mixup partners'));
    const shares = source('mixup shares');
    return {
      mixup_partners: hostTensor(
        'int32',
        [size],
        Int32Array.from({ length: size }, (_, row) => order[row % rows]),
      ),
      mixup_shares: hostTensor(
        'float32',
        [size],
        Float32Array.from({ length: size }, () => drawBeta(alpha, shares)),
      ),
    };
  },
  loss(_, { read, head, labels, weights, losses }) {
    const size = labels.shape[0];
    const first = { read, labels, weights };
    const second = rowsAt(first, input('mixup_partners', 'int32', [size]));
    const share = column(input('mixup_shares', 'float32', [size]));
    const mixed = mixedLosses(head(mix(share, read, second.read)), { share, first, second }, losses);
    return weightedMean(mixed.values, mixed.weights);
  },
};
