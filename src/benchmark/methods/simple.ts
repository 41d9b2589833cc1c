/** Predictors without an encoder, which every table has beside the encoders. */
import { constantProbe } from '../../evaluation/constant.js';
import { linearProbe } from '../../evaluation/linear-probe.js';
import { oneHotRidge } from '../../evaluation/one-hot-ridge.js';
import { positionOneHot, rawValues, recordCount } from '../features.js';
import { onFeatures } from './on-features.js';

export const constant = onFeatures({
  name: 'constant',
  description: 'the mean of the training labels, or the commonest class, for every record',
  features: recordCount,
  probe: constantProbe,
});

export const linearOnOneHot = onFeatures({
  name: 'linear, one-hot',
  description: 'ridge regression on which letter stands at each position',
  features: positionOneHot,
  probe: oneHotRidge,
});

export const linearOnValues = onFeatures({
  name: 'linear',
  description:
    'ridge, logistic or softmax regression on the standardised values, categories one-hot; on the shares of letters and pairs of letters where records are texts',
  features: rawValues('mean'),
  probe: linearProbe,
});
