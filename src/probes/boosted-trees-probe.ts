import { fitBoostedTrees } from '../numerics/boosted-trees.js';
import type { BoostingLoss } from '../numerics/boosting-losses.js';
import { predictFitted } from './fitted-model.js';
import type { Probe } from './protocol.js';
import { fitTrees, type TreeRows } from './tree-tasks.js';

/** The grid: small trees, then LightGBM's usual ones, with leaves as large as usual or smaller. */
const GRID = [
  { leaves: 7, rowsInLeaf: 20 },
  { leaves: 31, rowsInLeaf: 20 },
  { leaves: 31, rowsInLeaf: 5 },
] as const;

const SETTINGS = {
  rounds: 2000,
  learningRate: 0.05,
  minChildWeight: 1e-3,
  l2: 1,
  bins: 256,
  columnFraction: 0.8,
  rowFraction: 0.8,
  seed: 0,
  earlyStoppingRounds: 50,
} as const;

/**
 * Gradient-boosted trees ({@link fitBoostedTrees}) per target, each on the rows that have it, or for all classes together.
 * Each fit keeps the rounds up to the least loss on the validation rows that have a label, or all where there are none.
 * A target without a label in the training part gives 0; a class that training lacks is never predicted.
 */
export const boostedTrees = function* (train, spec) {
  for (const { leaves, rowsInLeaf } of GRID) {
    const grow = (loss: BoostingLoss) => (rows: TreeRows, valid: TreeRows | undefined, classes?: number) =>
      fitBoostedTrees(rows, loss, { ...SETTINGS, maxLeaves: leaves, minRows: rowsInLeaf, classes }, valid);
    const model = fitTrees(
      train,
      spec,
      { value: grow('squared'), yesOrNo: grow('logistic'), classes: grow('softmax') },
      { yesOrNo: 'identity', classes: 'identity' },
    );
    yield { chosen: { leaves, rowsInLeaf }, model, predict: (features) => predictFitted(model, features) };
  }
} satisfies Probe;
