/** The simple models that `fit` tries. */
import { boostedTrees } from '../probes/boosted-trees-probe.js';
import { extraTrees, randomForest } from '../probes/forest-probe.js';
import { linearProbe } from '../probes/linear-probe.js';
import type { Probe } from '../probes/protocol.js';

/** What a simple model is fitted to. */
export interface FitSize {
  /** Records that are learned from. */
  readonly rows: number;
  readonly columns: number;
  /** Outputs of the model. */
  readonly outputs: number;
  /** Times that it is fitted. */
  readonly folds: number;
}

interface Learner {
  readonly probe: Probe;
  /** On the plainest features of a kind of record alone: forests take minutes on many columns. */
  readonly onPlainest?: true;
  /** A count of operations, and the most that are worth a wait of some minutes. */
  readonly cost: (size: FitSize) => number;
  readonly most: number;
}

/** Passes over the records that a logistic regression takes, about. */
const ITERATIONS = 50;

const treeCost = ({ rows, columns, outputs, folds }: FitSize) => rows * columns * outputs * folds;
const forestCost = (size: FitSize) => treeCost({ ...size, columns: Math.sqrt(size.columns) });

/** Simplest first, which of equals is chosen. */
const learners: Readonly<Record<string, Learner>> = {
  linear: {
    probe: linearProbe,
    cost: ({ rows, columns, outputs, folds }) =>
      rows * columns * folds * Math.max(Math.min(rows, columns), ITERATIONS * outputs),
    most: 2e11,
  },
  'boosted trees': { probe: boostedTrees, cost: treeCost, most: 5e8 },
  'random forest': { probe: randomForest, onPlainest: true, cost: forestCost, most: 5e8 },
  'extra trees': { probe: extraTrees, onPlainest: true, cost: forestCost, most: 5e8 },
};

/** What is tried on features of a size, and the names of what would take too long; `plainest` are the first of a kind of record. */
export function learnersFor(
  size: FitSize,
  plainest: boolean,
): {
  readonly tried: readonly (readonly [name: string, probe: Probe])[];
  readonly tooSlow: readonly string[];
} {
  const suited = Object.entries(learners).filter(([, { onPlainest }]) => plainest || !onPlainest);
  const slow = ([, { cost, most }]: (typeof suited)[number]) => cost(size) > most;
  return {
    tried: suited.filter((learner) => !slow(learner)).map(([name, { probe }]) => [name, probe]),
    tooSlow: suited.filter(slow).map(([name]) => name),
  };
}
