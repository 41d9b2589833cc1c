/** How much each searched key mattered: a functional analysis of variance of a forest (Hutter et al., ICML 2014). */
import type { Dimension, Settings, SettingValue } from '../config/search.js';
import { type ForestOptions, fitForest } from '../numerics/forest.js';
import { predictTrees, type TreeEnsemble } from '../numerics/tree-ensemble.js';
import { random } from '../tensor/random.js';
import { drawSettings, valueAt } from './settings.js';

/** A key's share of the variance of the predicted scores over the searched space, 0 … 1. */
export interface Share {
  /** A key, or `together` for what only several keys at once explain. */
  readonly key: string;
  readonly share: number;
}

export const TOGETHER = 'together';

/** Fewer scores than this tell nothing. */
const FEWEST = 6;
const DRAWS = 512;
/** Values of a range at which its effect is taken. */
const PLACES = 16;
const FOLDS = 5;

const FOREST: Omit<ForestOptions, 'seed'> = {
  trees: 100,
  thresholds: 'best',
  featureFraction: 0.8,
  minRows: 2,
  bins: 256,
};

/**
 * Of each key the variance, over its values, of what a forest predicts on the mean over all other keys, as a share of the
 * whole variance of its predictions; all keys are drawn as the sweep draws them. `explained` is the share of the scores'
 * variance that the forest explains of trials it was not fitted on (R² over 5 folds): where it is not above 0, the shares
 * are of noise. Undefined with fewer than 6 scores, or where all are alike.
 *
 * Departures: marginals are means over draws, not exact integrals over leaves, and pairs of keys are not told apart.
 */
export function keyImportance(
  space: readonly Dimension[],
  trials: readonly { readonly settings: Settings; readonly score: number }[],
): { readonly shares: readonly Share[]; readonly explained: number } | undefined {
  const scores = trials.map(({ score }) => score);
  if (trials.length < FEWEST || new Set(scores).size === 1) return undefined;
  const fitted = (rows: typeof trials) =>
    fitForest(
      {
        features: encode(
          space,
          rows.map(({ settings }) => settings),
        ),
        dimension: space.length,
        labels: Float64Array.from(rows, ({ score }) => score),
      },
      { ...FOREST, seed: 0 },
    );
  const draws = Array.from({ length: DRAWS }, (_, draw) =>
    drawSettings(space, random(0, 'importance', draw)),
  );
  const forest = fitted(trials);
  const features = encode(space, draws);
  const whole = variance(predictTrees(forest, features));
  // A forest may find nothing to split by.
  if (whole <= 1e-12 * variance(scores)) return undefined;
  const shares = space.map((dimension, column) => ({
    key: dimension.key,
    share: Math.min(1, variance(effect(forest, features, dimension, column)) / whole),
  }));
  const rest = Math.max(0, 1 - shares.reduce((sum, { share }) => sum + share, 0));
  const held = Array.from({ length: FOLDS }, (_, fold) => {
    const isHeld = (_: unknown, index: number) => index % FOLDS === fold;
    const others = fitted(trials.filter((trial, index) => !isHeld(trial, index)));
    const own = trials.filter(isHeld);
    const predicted = predictTrees(
      others,
      encode(
        space,
        own.map(({ settings }) => settings),
      ),
    );
    return own.reduce((sum, { score }, row) => sum + (score - predicted[row]) ** 2, 0);
  });
  const error = held.reduce((sum, squares) => sum + squares, 0) / trials.length;
  return {
    shares: [
      ...shares.sort((a, b) => b.share - a.share),
      ...(space.length > 1 ? [{ key: TOGETHER, share: rest }] : []),
    ],
    explained: 1 - error / variance(scores),
  };
}

/** The mean prediction at each value of one key. */
function effect(
  forest: TreeEnsemble,
  features: Float32Array,
  dimension: Dimension,
  column: number,
): number[] {
  const values =
    'values' in dimension
      ? dimension.values
      : Array.from({ length: PLACES }, (_, i) => valueAt(dimension, (i + 0.5) / PLACES));
  return values.map((value) => {
    const own = features.slice();
    const place = placeOf(dimension, value);
    const width = features.length / DRAWS;
    for (let row = 0; row < DRAWS; row++) own[row * width + column] = place;
    return predictTrees(forest, own).reduce((sum, predicted) => sum + predicted / DRAWS, 0);
  });
}

/** float32[settings, keys]: numbers, or places in lists of what is not. */
const encode = (space: readonly Dimension[], settings: readonly Settings[]): Float32Array =>
  Float32Array.from(
    settings.flatMap((own) => space.map((dimension) => placeOf(dimension, own[dimension.key]))),
  );

const placeOf = (dimension: Dimension, value: SettingValue): number =>
  typeof value === 'number' ? value : 'values' in dimension ? dimension.values.indexOf(value) : Number.NaN;

function variance(values: ArrayLike<number>): number {
  const all = Array.from(values);
  const mean = all.reduce((sum, value) => sum + value / all.length, 0);
  return all.reduce((sum, value) => sum + (value - mean) ** 2 / all.length, 0);
}
