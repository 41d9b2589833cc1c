import { fitForest } from '../numerics/forest.js';
import { predictFitted } from './fitted-model.js';
import type { Probe } from './protocol.js';
import { fitTrees, type TreeRows } from './tree-tasks.js';

/** The grid: leaves of one row, or larger ones where labels are noisy. */
const ROWS_IN_LEAF = [1, 5] as const;

/** A node of few rows costs as much as its features have bins, and single thresholds matter little to an average. */
const SETTINGS = { trees: 300, bins: 64, seed: 0 } as const;

/**
 * A forest ({@link fitForest}) per target, or for all classes together, of 300 trees. A node tries the square root of the
 * number of features for classes and a third of them for values.
 */
const forestProbe = (thresholds: 'best' | 'random') =>
  function* (train, spec) {
    const { dimension } = train;
    for (const rowsInLeaf of ROWS_IN_LEAF) {
      const grow = (featureFraction: number, classes?: number) => (rows: TreeRows) =>
        fitForest(rows, { ...SETTINGS, thresholds, minRows: rowsInLeaf, featureFraction, classes });
      const some = Math.min(1, Math.ceil(Math.sqrt(dimension)) / dimension);
      const model = fitTrees(
        train,
        spec,
        {
          value: grow(dimension > 2 ? 1 / 3 : 1),
          yesOrNo: grow(some),
          classes: (rows, _, classes) => grow(some, classes)(rows),
        },
        { yesOrNo: 'log odds', classes: 'logarithm' },
      );
      yield { chosen: { rowsInLeaf }, model, predict: (features) => predictFitted(model, features) };
    }
  } satisfies Probe;

/** Random forest. */
export const randomForest: Probe = forestProbe('best');

/** Extremely randomised trees. */
export const extraTrees: Probe = forestProbe('random');
