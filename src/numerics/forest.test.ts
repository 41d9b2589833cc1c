import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { type ForestOptions, fitForest } from './forest.js';
import { predictTrees } from './tree-ensemble.js';

const options: ForestOptions = {
  trees: 30,
  thresholds: 'best',
  featureFraction: 0.5,
  minRows: 1,
  bins: 256,
  seed: 0,
};

/** Rows of which the label is |x₀| + x₁, with a feature of noise and one of zeros but for a few. */
function rows(n: number, seed: number) {
  const source = random(seed, 'forest rows');
  const features = Float32Array.from({ length: n * 4 }, (_, i) =>
    i % 4 === 3 ? Number(source.uniform() < 0.05) : source.normal(),
  );
  const labels = Float64Array.from(
    { length: n },
    (_, row) => Math.abs(features[4 * row]) + features[4 * row + 1],
  );
  return { features, dimension: 4, labels };
}

const rmse = (found: Float64Array, wanted: Float64Array) =>
  Math.sqrt(found.reduce((sum, value, i) => sum + (value - wanted[i]) ** 2, 0) / found.length);

describe.each(['best', 'random'] as const)('a forest with %s thresholds', (thresholds) => {
  const own = { ...options, thresholds };

  it('learns what a line does not', () => {
    const [train, test] = [rows(500, 1), rows(500, 2)];
    // The labels' deviation is 1.17, and 1 where x₀ is not known.
    expect(rmse(predictTrees(fitForest(train, own), test.features), test.labels)).toBeLessThan(0.35);
  });

  it('gives shares of classes that add up to 1, and for two those of their numbers', () => {
    const { features, dimension, labels } = rows(200, 3);
    const classes = labels.map((label) => Math.min(2, Math.max(0, Math.floor(label))));
    const shares = predictTrees(
      fitForest({ features, dimension, labels: classes }, { ...own, classes: 3 }),
      features,
    );
    let right = 0;
    for (let row = 0; row < 200; row++) {
      const row3 = [...shares.subarray(3 * row, 3 * row + 3)];
      expect(row3.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      right += Number(row3.indexOf(Math.max(...row3)) === classes[row]);
    }
    expect(right).toBeGreaterThan(190);
    const binary = { features, dimension, labels: labels.map((label) => Number(label > 1)) };
    const asValue = predictTrees(fitForest(binary, own), features);
    const asClasses = predictTrees(fitForest(binary, { ...own, classes: 2 }), features);
    // Splits that are equal but for rounding may be another one.
    const off = asValue.reduce((sum, share, row) => sum + Math.abs(share - asClasses[2 * row + 1]) / 200, 0);
    expect(off).toBeLessThan(0.01);
  });

  it('reads columns that are mostly 0 beside others', () => {
    const source = random(0, 'mostly 0');
    const draw = (n: number) => {
      const [sparse, noise] = [60, 30];
      const dimension = sparse + noise;
      const features = Float32Array.from({ length: n * dimension }, (_, i) =>
        i % dimension < sparse ? Number(source.uniform() < 0.05) : source.normal(),
      );
      const labels = Float64Array.from({ length: n }, (_, row) =>
        Math.max(features[row * dimension + 3], features[row * dimension + 17]),
      );
      return { features, dimension, labels };
    };
    const [train, test] = [draw(600), draw(600)];
    // A node tries few columns of many, and some nodes have few rows and others many.
    const found = predictTrees(fitForest(train, { ...own, featureFraction: 0.1 }), test.features);
    const mean = (label: number) => {
      const shares = found.filter((_, row) => test.labels[row] === label);
      return shares.reduce((sum, share) => sum + share, 0) / shares.length;
    };
    expect(mean(1)).toBeGreaterThan(0.4);
    expect(mean(0)).toBeLessThan(0.08);
  });

  it('draws by the seed alone', () => {
    const train = rows(100, 4);
    const others = rows(100, 8).features;
    const predict = (seed: number) => predictTrees(fitForest(train, { ...own, seed }), others);
    expect(predict(1)).toEqual(predict(1));
    expect(predict(1)).not.toEqual(predict(2));
  });

  it('keeps leaves as large as asked', () => {
    const train = rows(100, 5);
    const { left } = fitForest(train, { ...own, trees: 1, minRows: 10 });
    expect(left.filter((child) => child === 0).length).toBeLessThanOrEqual(10);
    expect(left.length).toBeGreaterThan(1);
  });
});

describe('extra trees', () => {
  it('say the labels they were grown on, each tree having seen all rows', () => {
    const train = rows(150, 6);
    const fitted = fitForest(train, { ...options, thresholds: 'random', bins: 256 });
    expect(rmse(predictTrees(fitted, train.features), train.labels)).toBeLessThan(1e-9);
  });
});

describe('fitForest', () => {
  it('gives what is missing a side of its own', () => {
    const features = Float32Array.from({ length: 40 }, (_, row) => (row % 2 === 0 ? Number.NaN : row));
    const labels = Float64Array.from({ length: 40 }, (_, row) => Number(row % 2 === 0));
    const fitted = fitForest({ features, dimension: 1, labels }, { ...options, featureFraction: 1 });
    const [missing, present] = predictTrees(fitted, Float32Array.of(Number.NaN, 11));
    expect(missing).toBeCloseTo(1, 9);
    expect(present).toBeCloseTo(0, 9);
    // One split says it all.
    expect(fitted.left).toHaveLength(3 * options.trees);
  });

  it('says what it cannot use', () => {
    const data = rows(10, 7);
    const attempt =
      (other: Partial<ForestOptions>, given = data) =>
      () =>
        fitForest(given, { ...options, ...other });
    expect(attempt({ trees: 0 })).toThrow('trees is 0: expected a whole number from 1');
    expect(attempt({ featureFraction: 0 })).toThrow('featureFraction is 0');
    expect(attempt({ classes: 2 })).toThrow('expected class numbers from 0 below 2');
    expect(attempt({}, { ...data, dimension: 3 })).toThrow('expected features [10, 3]');
  });
});
