import type { Probe } from './protocol.js';

/** On features that are only the number of records: predicts the same for every record: per target the training mean, and for classes the log of each one's share. */
export const constantProbe: Probe<number> = function* ({ labels, count }, { task, targets, outputs }) {
  const constant = new Float64Array(outputs);
  if (task === 'multiclass') {
    for (const label of labels) constant[label] += 1 / count;
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
};

function repeat(values: Float64Array, times: number): Float64Array {
  const out = new Float64Array(times * values.length);
  for (let i = 0; i < times; i++) out.set(values, i * values.length);
  return out;
}
