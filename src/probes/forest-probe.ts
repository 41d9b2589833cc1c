import { fitForest } from '../numerics/forest.js';
import { predictFitted } from './fitted-model.js';
import type { Probe } from './protocol.js';
import { fitTrees, type TreeRows } from './tree-tasks.js';

/** The grid: leaves of one row, or larger ones where labels are noisy. */
const ROWS_IN_LEAF = [1, 5] as const;

/** Fewer bins are quicker to search, and single thresholds matter little to an average. */
const SETTINGS = { bins: 64, seed: 0 } as const;

/** Trees of a forest for each target, where there are so many of them: one has more than many, which would take long. */
export const treesOfForest = (targets: number): number => (targets === 1 ? 300 : 100);

/**
 * A forest ({@link fitForest}) per target, or for all classes together, of 300 trees, of 100 where there are several
 * targets. A node tries the square root of the number of features for classes and a third of them for values.
 */
const forestProbe = (thresholds: 'best' | 'random') =>
  function* (train, spec) {
    const { dimension } = train;
    for (const rowsInLeaf of ROWS_IN_LEAF) {
      const grow = (featureFraction: number, classes?: number) => (rows: TreeRows) =>
        fitForest(rows, {
          ...SETTINGS,
          trees: treesOfForest(spec.targets),
          thresholds,
          minRows: rowsInLeaf,
          featureFraction,
          classes,
        });
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
