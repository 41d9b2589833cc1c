/** Predictors without an encoder, which every table has beside the encoders. */

import { miniRocketFeatures } from '../../features/minirocket.js';
import { descriptors, fingerprintsAndDescriptors } from '../../features/molecules.js';
import { boostedTrees as boostedTreesProbe } from '../../probes/boosted-trees-probe.js';
import { constantProbe } from '../../probes/constant.js';
import {
  extraTrees as extraTreesProbe,
  randomForest as randomForestProbe,
} from '../../probes/forest-probe.js';
import { linearProbe } from '../../probes/linear-probe.js';
import { oneHotRidge } from '../../probes/one-hot-ridge.js';
import { timeWarping } from '../../probes/time-warping.js';
import { featuresOf, fingerprints, positionOneHot, rawValues, rowCount, wholeSeries } from '../features.js';
import { onFeatures } from './on-features.js';

export const constant = onFeatures({
  name: 'constant',
  description: 'the mean of the training labels, or the commonest class, for every record or token',
  features: rowCount,
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
  features: rawValues,
  probe: linearProbe,
});

export const boostedTrees = onFeatures({
  name: 'boosted trees',
  description: 'gradient-boosted trees on the values; size of trees and rounds chosen on validation',
  features: rawValues,
  probe: boostedTreesProbe,
});

export const linearOnFingerprints = onFeatures({
  name: 'linear, fingerprints',
  description: 'ridge or logistic regression on Morgan fingerprints of radius 2 with 1,024 bits',
  features: fingerprints,
  probe: linearProbe,
});

export const boostedTreesOnFingerprints = onFeatures({
  name: 'boosted trees, fingerprints',
  description:
    'gradient-boosted trees on the same fingerprints; size of trees and rounds chosen on validation',
  features: fingerprints,
  probe: boostedTreesProbe,
});

export const randomForest = onFeatures({
  name: 'random forest',
  description: '300 trees on the values; rows in a leaf chosen on validation',
  features: rawValues,
  probe: randomForestProbe,
  revision: 2,
});

export const extraTrees = onFeatures({
  name: 'extra trees',
  description: '300 extremely randomised trees on the values; rows in a leaf chosen on validation',
  features: rawValues,
  probe: extraTreesProbe,
  revision: 2,
});

export const linearOnDescriptors = onFeatures({
  name: 'linear, descriptors',
  description: "ridge or logistic regression on RDKit's descriptors and counts of groups",
  features: featuresOf(descriptors),
  probe: linearProbe,
});

export const boostedTreesOnMolecules = onFeatures({
  name: 'boosted trees, molecules',
  description:
    'gradient-boosted trees on descriptors and fingerprints; size of trees and rounds chosen on validation',
  features: featuresOf(fingerprintsAndDescriptors),
  probe: boostedTreesProbe,
});

export const randomForestOnMolecules = onFeatures({
  name: 'random forest, molecules',
  description:
    '300 trees on descriptors and fingerprints, 100 for each of several targets; rows in a leaf chosen on validation',
  features: featuresOf(fingerprintsAndDescriptors),
  probe: randomForestProbe,
  revision: 2,
});

export const linearOnMiniRocket = onFeatures({
  name: 'linear, MiniRocket',
  description: 'ridge, logistic or softmax regression on 9,996 features of MiniRocket',
  features: featuresOf(miniRocketFeatures),
  probe: linearProbe,
});

export const nearestByTimeWarping = onFeatures({
  name: 'nearest neighbour, time warping',
  description:
    'the label of the training series that is nearest by dynamic time warping; the window chosen by leaving one training series out',
  features: wholeSeries,
  probe: timeWarping,
});
