import { describe, expect, it } from 'vitest';
import type { LabelSpec } from '../scoring/labels.js';
import { discriminantScore } from './fisher-discriminant.js';
import { type TransferabilityName, transferabilityScores } from './index.js';
import { descended } from './potential-energy.js';
import type { FrozenFeatures } from './transferability.js';
import { discriminantRank } from './view-rank.js';

/** 90 records of three classes in five dimensions, which anyone can write down. */
const [N, D, CLASSES] = [90, 5, 3];
const feature = (i: number, j: number) =>
  Math.sin(1 + 0.7 * i * (j + 1)) +
  (j === 0 ? 0.8 * (i % CLASSES) : 0) +
  (j === 1 && i % CLASSES === 2 ? 0.5 : 0);
const features = Float32Array.from({ length: N * D }, (_, at) => feature(Math.floor(at / D), at % D));
const classNumbers = Float64Array.from({ length: N }, (_, i) => i % CLASSES);
const classRows = [0, 1, 2].map((label) =>
  Array.from({ length: N / CLASSES }, (_, i) => CLASSES * i + label),
);
const multiclass: LabelSpec = {
  task: 'multiclass',
  columns: ['y'],
  targets: 1,
  outputs: CLASSES,
  classes: [['a', 'b', 'c']],
  reason: '',
};

const frozen = (own: Partial<FrozenFeatures> = {}, labels: Float64Array = classNumbers): FrozenFeatures => ({
  train: { features, labels },
  valid: { features, labels },
  dimension: D,
  spec: multiclass,
  metric: 'accuracy',
  views: async () => [features],
  ...own,
});
const score = (name: TransferabilityName, own?: Partial<FrozenFeatures>, labels?: Float64Array) =>
  transferabilityScores[name].score(frozen(own, labels));

describe('LogME', () => {
  it('is the largest evidence, as scikit-learn finds it', async () => {
    // BayesianRidge 1.8 without priors on α and β finds them; log N(y; 0, I/β + F Fᵀ/α) / n at these, the mean of three classes.
    expect(await score('logme')).toBeCloseTo(-0.503969, 5);
    const target = Float64Array.from({ length: N }, (_, i) => Math.cos(0.3 * i) + feature(i, 0));
    const regression: LabelSpec = { ...multiclass, task: 'regression', outputs: 1, classes: [] };
    expect(await score('logme', { spec: regression }, target)).toBeCloseTo(-1.200501, 5);
    // The unit of a number makes no difference.
    const other = target.map((value) => 7 - 100 * value);
    expect(await score('logme', { spec: regression }, other)).toBeCloseTo(-1.200501, 5);
  });

  it('counts the directions that the features have', async () => {
    // A column that is the sum of the others, and one of zeros.
    const wide = Float32Array.from({ length: N * 7 }, (_, at) => {
      const [i, j] = [Math.floor(at / 7), at % 7];
      if (j === 6) return 0;
      return j < 5 ? feature(i, j) : [0, 1, 2, 3, 4].reduce((sum, k) => sum + feature(i, k), 0);
    });
    const train = { features: wide, labels: classNumbers };
    expect(await score('logme', { train, dimension: 7 })).toBeCloseTo(-0.509042, 4);
  });

  it('leaves out records without a label', async () => {
    const labels = classNumbers.map((label, i) => (i >= 60 ? Number.NaN : label));
    const first = { features: features.slice(0, 60 * D), labels: classNumbers.slice(0, 60) };
    expect(await score('logme', undefined, labels)).toBeCloseTo(
      Number(await score('logme', { train: first })),
      12,
    );
  });
});

describe('SFDA', () => {
  it('is what its authors compute', async () => {
    expect(await score('sfda')).toBeCloseTo(0.937963, 5);
    // With features so small that the covariance is shrunk.
    const small = features.map((value) => 0.2 * value);
    expect(discriminantScore(small, D, classRows)).toBeCloseTo(0.559937, 5);
  });
});

describe('PED', () => {
  it('is what its authors compute, standardised by the same records', async () => {
    expect(await score('ped-logme')).toBeCloseTo(-0.501455, 5);
    expect(await score('ped-sfda')).toBeCloseTo(0.94159, 5);
  });

  it('moves classes that overlap apart, and leaves those that do not', () => {
    const distances = (values: ArrayLike<number>) => {
      const means = classRows.map((rows) =>
        Array.from({ length: D }, (_, j) =>
          rows.reduce((sum, row) => sum + values[row * D + j] / rows.length, 0),
        ),
      );
      return [0, 1, 2].map((a) => Math.hypot(...means[a].map((value, j) => value - means[(a + 1) % 3][j])));
    };
    const [before, after] = [distances(features), distances(descended(features, D, classRows))];
    for (const [i, distance] of after.entries()) expect(distance).toBeGreaterThan(before[i]);
    const apart = features.map((value, at) => value + 100 * (Math.floor(at / D) % CLASSES));
    for (const [at, value] of descended(apart, D, classRows).entries())
      expect(value).toBeCloseTo(apart[at], 4);
  });
});

describe('TMI', () => {
  it('is the estimate of its authors, of features of variance 1', async () => {
    expect(await score('tmi')).toBeCloseTo(-3.57255, 4);
    const larger = features.map((value) => 50 * value + 3);
    expect(await score('tmi', { train: { features: larger, labels: classNumbers } })).toBeCloseTo(
      -3.57255,
      4,
    );
  });

  it('estimates the entropy of a uniform distribution', async () => {
    // One class, uniform in [0, 1): at variance 1 its width is √12.
    const train = {
      features: Float32Array.from({ length: 2000 }, (_, i) => (i * 0.618033988749895) % 1),
      labels: new Float64Array(2000),
    };
    expect(await score('tmi', { train, dimension: 1 })).toBeCloseTo(Math.log(Math.sqrt(12)), 0);
  });
});

describe('LiDAR', () => {
  it('is the rank of its definition, as numpy computes it', () => {
    const views = [0, 1, 2, 3].map((view) =>
      features.map((value, at) => {
        const [i, j] = [Math.floor(at / D), at % D];
        return value + 0.3 * Math.sin(2 + 1.3 * view + 0.9 * i * (j + 2));
      }),
    );
    expect(discriminantRank(views, D)).toBeCloseTo(3.730491, 4);
  });
});

describe('every score', () => {
  const names = Object.keys(transferabilityScores) as TransferabilityName[];

  it.each(names)('%s promises more of features that hold the label than of noise', async (name) => {
    const noise = Float32Array.from({ length: N * D }, (_, at) => Math.sin(97 * at * at));
    const told = Float32Array.from(
      noise,
      (value, at) => (at % D < 3 && classNumbers[Math.floor(at / D)] === at % D ? 4 : 0) + 0.3 * value,
    );
    const part = (own: Float32Array, first: number, last: number) => ({
      features: own.slice(first * D, last * D),
      labels: classNumbers.slice(first, last),
    });
    const of = (own: Float32Array) => score(name, { train: part(own, 0, 60), valid: part(own, 60, N) });
    const [good, bad] = [await of(told), await of(noise)];
    expect(Number.isFinite(good) && Number.isFinite(bad)).toBe(true);
    // Those that look at spread alone know nothing of labels.
    if (!['tmi', 'rankme', 'lidar'].includes(name)) expect(good).toBeGreaterThan(bad);
  });

  it.each(names)('%s has no score of a single class, or one that is finite', async (name) => {
    const alone = new Float64Array(N);
    const value = await score(name, undefined, alone);
    expect(typeof value).toBe('number');
  });
});
