import type { Probe } from './protocol.js';

/** On features that are only the number of label rows: predicts the same for every row: per target the training mean, and for classes the log of each one's share. */
export const constantProbe = function* ({ labels }, { task, targets, outputs }) {
  const constant = new Float64Array(outputs);
  if (task === 'multiclass' || task === 'per-token') {
    const known = labels.filter((label) => !Number.isNaN(label));
    for (const label of known) constant[label] += 1 / known.length;
    for (let i = 0; i < outputs; i++) constant[i] = Math.log(constant[i]);
  } else {
    for (let target = 0; target < targets; target++) {
      const own = labels.filter((label, i) => i % targets === target && !Number.isNaN(label));
      const mean = own.reduce((sum, label) => sum + label, 0) / Math.max(1, own.length);
      constant[target] = task === 'regression' ? mean : Math.log(mean / (1 - mean));
    }
  }
  yield {
    chosen: {},
    predict: (features) => repeat(constant, features),
  };
} satisfies Probe<number>;

function repeat(values: Float64Array, times: number): Float64Array {
  const out = new Float64Array(times * values.length);
  for (let i = 0; i < times; i++) out.set(values, i * values.length);
  return out;
}
