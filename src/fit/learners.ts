/** The simple models that `fit` tries. */
import { boostedTrees } from '../probes/boosted-trees-probe.js';
import { extraTrees, randomForest } from '../probes/forest-probe.js';
import { linearProbe } from '../probes/linear-probe.js';
import type { Probe } from '../probes/protocol.js';

type Learners = Readonly<Record<string, Probe>>;

/** On the plainest features, simplest first, which of equals is chosen. */
const onPlainest: Learners = {
  linear: linearProbe,
  'boosted trees': boostedTrees,
  'random forest': randomForest,
  'extra trees': extraTrees,
};

/** On all others: forests take minutes on many columns. */
const onOthers: Learners = { linear: linearProbe, 'boosted trees': boostedTrees };

/** More columns than this take linear models minutes where records are as many. */
const MOST_LINEAR = 1024;

/** So many columns are those of MiniRocket, of fewer records than that: a matter of the records for a linear model, of minutes for trees. */
const LINEAR_ALONE = 9216;

/** What is tried on features of so many columns; `plainest` are the first of a kind of record. */
export function learnersFor(dimension: number, plainest: boolean): [name: string, probe: Probe][] {
  if (plainest) return Object.entries(onPlainest);
  const linear = dimension <= MOST_LINEAR || dimension >= LINEAR_ALONE;
  return Object.entries(onOthers).filter(([name]) => (name === 'linear' ? linear : dimension < LINEAR_ALONE));
}
