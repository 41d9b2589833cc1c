/** The simple models that `fit` tries. */
import { boostedTrees } from '../probes/boosted-trees-probe.js';
import { extraTrees, randomForest, treesOfForest } from '../probes/forest-probe.js';
import { type LinearSize, linearCost, linearProbe } from '../probes/linear-probe.js';
import type { Probe } from '../probes/protocol.js';
import type { LabelSpec } from '../scoring/labels.js';

/** What a simple model is fitted to. */
export interface FitSize extends LinearSize {
  readonly labels: Pick<LabelSpec, 'task' | 'targets' | 'outputs'>;
  /** Times that it is fitted. */
  readonly folds: number;
}

interface Learner {
  readonly probe: Probe;
  /** Whether it is tried only where forests are asked for: they take minutes on many columns. */
  readonly forest?: true;
  /** A count of operations, and the most that are worth a wait: about ten minutes of one core. */
  readonly cost: (size: FitSize) => number;
  readonly most: number;
}

/** Leaves of a tree and bins of a column, at most; and about how often a row is read for one tree. */
const [LEAVES, BINS, READINGS] = [31, 255, 8];

/** Of one round: rows are added to the bins of every column, and the bins of every node searched. Zeros are skipped. */
const treeCost = ({ rows, columns, density, labels: { outputs }, folds }: FitSize) =>
  folds * outputs * columns * density * (READINGS * rows + LEAVES * Math.min(rows, BINS));
/**
 * Of all trees of a forest as a multiple: the columns that a node tries are looked at, zeros too unless they are most of a
 * row. Of several targets each has fewer trees.
 */
const forestCost = (size: FitSize) => {
  const { columns, density, labels } = size;
  const tried = labels.task === 'regression' ? Math.min(1 / 3, density) * columns : Math.sqrt(columns);
  const trees = treesOfForest(labels.targets) / treesOfForest(1);
  return trees * treeCost({ ...size, columns: tried, density: 1 });
};

/** Simplest first, which of equals is chosen. */
const learners: Readonly<Record<string, Learner>> = {
  linear: { probe: linearProbe, cost: (size) => size.folds * linearCost(size), most: 3e11 },
  'boosted trees': { probe: boostedTrees, cost: treeCost, most: 1.5e8 },
  'random forest': { probe: randomForest, forest: true, cost: forestCost, most: 2e7 },
  'extra trees': { probe: extraTrees, forest: true, cost: forestCost, most: 3e7 },
};

/**
 * What is tried on features of a size, and the names of what would take too long.
 * @param use.forests whether forests are tried, too
 * @param use.linearAlone whether they are made for linear models
 */
export function learnersFor(
  size: FitSize,
  { forests, linearAlone }: { readonly forests: boolean; readonly linearAlone: boolean },
): {
  readonly tried: readonly (readonly [name: string, probe: Probe])[];
  readonly tooSlow: readonly string[];
} {
  const suited = Object.entries(learners).filter(([name, { forest }]) =>
    linearAlone ? name === 'linear' : forests || !forest,
  );
  const slow = ([, { cost, most }]: (typeof suited)[number]) => cost(size) > most;
  return {
    tried: suited.filter((learner) => !slow(learner)).map(([name, { probe }]) => [name, probe]),
    tooSlow: suited.filter(slow).map(([name]) => name),
  };
}
