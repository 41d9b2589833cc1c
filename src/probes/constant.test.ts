import { describe, expect, it } from 'vitest';
import { constantProbe } from './constant.js';

const predict = (
  task: 'regression' | 'binary' | 'multiclass',
  labels: number[],
  { targets = 1, outputs = targets }: { targets?: number; outputs?: number } = {},
) => {
  const spec = { task, targets, outputs, columns: [], classes: [], reason: '' };
  const train = {
    count: labels.length / targets,
    dimension: 0,
    features: 0,
    labels: Float64Array.from(labels),
  };
  const [{ predict: run }] = constantProbe(train, spec);
  return Array.from(run(2) as Float64Array);
};

describe('the constant predictor', () => {
  it('says the mean of the labels there are, for every record', () => {
    expect(predict('regression', [1, Number.NaN, 2, 10, 6, 20], { targets: 2 })).toEqual([3, 15, 3, 15]);
  });

  it('says the log odds of two classes, and the log share of each of many', () => {
    expect(predict('binary', [1, 1, 1, 0])[0]).toBeCloseTo(Math.log(3), 12);
    const [first, second, never] = predict('multiclass', [0, 1, 1, 1], { outputs: 3 });
    expect([first, second]).toEqual([Math.log(0.25), Math.log(0.75)]);
    expect(never).toBe(Number.NEGATIVE_INFINITY);
  });
});
