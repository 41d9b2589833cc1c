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

/** More columns than this take linear models minutes. */
const MOST_LINEAR = 1024;

/** What is tried on features of so many columns; `plainest` are the first of a kind of record. */
export function learnersFor(dimension: number, plainest: boolean): [name: string, probe: Probe][] {
  return Object.entries(plainest ? onPlainest : onOthers).filter(
    ([name]) => name !== 'linear' || plainest || dimension <= MOST_LINEAR,
  );
}
