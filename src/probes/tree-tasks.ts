import { gatherRows } from '../numerics/matrix.js';
import type { TreeEnsemble } from '../numerics/tree-ensemble.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { TreesFitted } from './fitted-model.js';
import type { TrainingRows } from './protocol.js';

/** Rows of one fit, with a label each: values; 0 and 1; or class numbers without a gap. */
export interface TreeRows {
  readonly features: Float32Array;
  readonly dimension: number;
  readonly labels: Float64Array;
}

type Fit = (train: TreeRows, valid: TreeRows | undefined) => TreeEnsemble;

/** How trees are fitted to each kind of label. */
export interface TreeFits {
  readonly value: Fit;
  readonly yesOrNo: Fit;
  readonly classes: (train: TreeRows, valid: TreeRows | undefined, classes: number) => TreeEnsemble;
}

/**
 * Trees per target, each on the rows that have it, or for all classes together. A target without a label in the training
 * part gives 0; a class that training lacks is never predicted. Validation rows without a label, or of such a class, say nothing.
 */
export function fitTrees(
  train: TrainingRows,
  { task, targets, outputs }: LabelSpec,
  fits: TreeFits,
  links: { readonly yesOrNo: TreesFitted['link']; readonly classes: TreesFitted['link'] },
): TreesFitted {
  const { dimension, valid } = train;
  const rowsWith = (
    { features, labels }: Pick<TrainingRows, 'features' | 'labels'>,
    target: number,
    numberOf: (label: number) => number,
  ): TreeRows | undefined => {
    const rows: number[] = [];
    const own: number[] = [];
    for (let row = 0; row * targets < labels.length; row++) {
      const label = numberOf(labels[row * targets + target]);
      if (Number.isNaN(label)) continue;
      rows.push(row);
      own.push(label);
    }
    if (rows.length === 0) return undefined;
    const all = rows.length * dimension === features.length;
    const gathered = all
      ? features
      : gatherRows(new Float32Array(rows.length * dimension), features, rows, dimension);
    return { features: gathered, dimension, labels: Float64Array.from(own) };
  };
  if (task === 'multiclass' || task === 'per-token') {
    const columns = [...new Set(train.labels)].filter((label) => !Number.isNaN(label)).sort((a, b) => a - b);
    const index = new Map(columns.map((label, i) => [label, i]));
    const numberOf = (label: number) => index.get(label) ?? Number.NaN;
    const own = rowsWith(train, 0, numberOf);
    if (!own) return { kind: 'trees', dimension, outputs, parts: [], others: 'zero', link: 'identity' };
    const ensemble = fits.classes(own, valid && rowsWith(valid, 0, numberOf), columns.length);
    return {
      kind: 'trees',
      dimension,
      outputs,
      parts: [{ columns, ensemble }],
      others: 'never',
      link: links.classes,
    };
  }
  const grow = task === 'regression' ? fits.value : fits.yesOrNo;
  const parts = Array.from({ length: targets }, (_, target) => {
    const own = rowsWith(train, target, (label) => label);
    if (!own) return [];
    return [{ columns: [target], ensemble: grow(own, valid && rowsWith(valid, target, (label) => label)) }];
  }).flat();
  const link = task === 'regression' ? 'identity' : links.yesOrNo;
  return { kind: 'trees', dimension, outputs, parts, others: 'zero', link };
}
