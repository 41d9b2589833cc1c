/** Fitted simple predictors as plain data: numbers, texts and typed arrays, which JSON can hold. */
import {
  applyLinear,
  type LinearModel,
  type Standardization,
  standardize,
} from '../numerics/linear-model.js';
import { predictTrees, type TreeEnsemble } from '../numerics/tree-ensemble.js';

/** x ↦ W s(x) + b, where s standardises the features as those of the training part. */
export interface LinearFitted {
  readonly kind: 'linear';
  readonly standardization: Standardization;
  readonly linear: LinearModel;
}

/** Ensembles of trees, each for some of the outputs. */
export interface TreesFitted {
  readonly kind: 'trees';
  /** Features of a row. */
  readonly dimension: number;
  readonly outputs: number;
  readonly parts: readonly { readonly columns: readonly number[]; readonly ensemble: TreeEnsemble }[];
  /** What an output without an ensemble has: 0, or −∞ for a class that training lacks. */
  readonly others: 'zero' | 'never';
  /**
   * From what the trees give to what `scoreTargets` wants: themselves; or, of shares of the trees' votes, the log odds or
   * the logarithms. Shares are kept {@link LEAST_VOTE} away from 0 and 1.
   */
  readonly link: 'identity' | 'log odds' | 'logarithm';
}

export type FittedModel = LinearFitted | TreesFitted;

/** Half a vote of a thousand trees. */
export const LEAST_VOTE = 1 / 2000;

/** Outputs float64[m, outputs] of features float32[m, dimension], as `Candidate.predict` gives them. */
export function predictFitted(model: FittedModel, features: Float32Array): Float64Array {
  if (model.kind === 'linear') return predictLinear(model, features);
  const { dimension, outputs, parts, others, link } = model;
  const rows = features.length / dimension;
  const out = new Float64Array(rows * outputs).fill(others === 'zero' ? 0 : Number.NEGATIVE_INFINITY);
  for (const { columns, ensemble } of parts) {
    predictTrees(ensemble, features).forEach((value, i) => {
      const row = Math.floor(i / columns.length);
      out[row * outputs + columns[i % columns.length]] = links[link](value);
    });
  }
  return out;
}

/** Rows that are standardised at a time, since their numbers stand in memory twice. */
const ROWS = 1024;

function predictLinear({ standardization, linear }: LinearFitted, features: Float32Array): Float64Array {
  const { dimension, bias } = linear;
  const rows = features.length / dimension;
  const out = new Float64Array(rows * bias.length);
  for (let first = 0; first < rows; first += ROWS) {
    const some = features.subarray(first * dimension, (first + ROWS) * dimension);
    out.set(applyLinear(linear, standardize(standardization, some)), first * bias.length);
  }
  return out;
}

const kept = (share: number) => Math.min(Math.max(share, LEAST_VOTE), 1 - LEAST_VOTE);

const links: Record<TreesFitted['link'], (value: number) => number> = {
  identity: (value) => value,
  'log odds': (value) => Math.log(kept(value) / (1 - kept(value))),
  logarithm: (value) => Math.log(kept(value)),
};
