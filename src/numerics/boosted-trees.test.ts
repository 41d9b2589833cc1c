import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from '../../test/fixtures/boosted-trees.json' with { type: 'json' };
import { permutation, random } from '../tensor/random.js';
import {
  type BoostedTreesData,
  type BoostedTreesOptions,
  fitBoostedTrees,
  predictBoostedTrees,
  roundsOf,
} from './boosted-trees.js';
import { type BoostingLoss, boostingLosses } from './boosting-losses.js';
import { gatherRows } from './matrix.js';

const losses: readonly BoostingLoss[] = ['squared', 'logistic', 'softmax'];

const options: BoostedTreesOptions = {
  rounds: 10,
  learningRate: 0.3,
  maxLeaves: 64,
  maxDepth: 3,
  minRows: 1,
  minChildWeight: 1,
  l2: 1,
  bins: 256,
  seed: 0,
  classes: 3,
};

/** Rows of which some features have few values, some are missing, and labels depend on them. */
function rowsFor(loss: BoostingLoss, seed: number, n = 60, dimension = 4): BoostedTreesData {
  const source = random(seed, 'rows');
  const features = Float32Array.from({ length: n * dimension }, (_, i) => {
    if (source.uniform() < 0.1) return Number.NaN;
    return i % 2 === 0 ? source.normal() : source.integer(4);
  });
  const labels = Float64Array.from({ length: n }, (_, row) => {
    const own = features.subarray(row * dimension, (row + 1) * dimension);
    const score = (own[0] || 0) * (own[1] || 1) + Number(own[2] > 0) + 0.5 * source.normal();
    if (loss === 'squared') return score;
    return loss === 'logistic' ? Number(score > 0.5) : Math.min(2, Math.max(0, Math.round(score)));
  });
  return { features, dimension, labels };
}

const meanLoss = (loss: BoostingLoss, scores: Float64Array, labels: Float64Array) => {
  const unused = new Float64Array(scores.length);
  const outputs = scores.length / labels.length;
  return boostingLosses[loss].derive(scores, labels, outputs, unused, unused) / labels.length;
};

/** A fitted model with its predictions at hand. */
const boosted = (...given: Parameters<typeof fitBoostedTrees>) => {
  const model = fitBoostedTrees(...given);
  return {
    rounds: roundsOf(model),
    predict: (features: Float32Array, rounds?: number) => predictBoostedTrees(model, features, rounds),
  };
};

describe('fitBoostedTrees', () => {
  // XGBoost holds derivatives, leaves and scores in float32: 6e-8 of numbers below 10, in each of twelve rounds.
  it.each(reference.losses)('predicts what XGBoost does, $loss', ({ loss, labels, predictions }) => {
    const { settings, dimension, fitted } = reference;
    const features = Float32Array.from(reference.features, (value) => value ?? Number.NaN);
    const train = {
      features: features.subarray(0, fitted * dimension),
      dimension,
      labels: Float64Array.from(labels.slice(0, fitted)),
    };
    const model = boosted(train, loss as BoostingLoss, {
      ...options,
      rounds: settings.rounds,
      learningRate: settings.eta,
      maxDepth: settings.max_depth,
      minChildWeight: settings.min_child_weight,
      l2: settings.lambda,
    });
    const largest = model
      .predict(features)
      .reduce((most, value, i) => Math.max(most, Math.abs(value - predictions[i])), 0);
    expect(largest).toBeLessThan(1e-5);
  });

  it.each(losses)('does not depend on the order of the rows, not by a bit, %s', (loss) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const data = rowsFor(loss, seed);
        const order = permutation(data.labels.length, random(seed, 'order'));
        const shuffled = {
          ...data,
          features: gatherRows(new Float32Array(data.features.length), data.features, order, data.dimension),
          labels: Float64Array.from(order, (row) => data.labels[row]),
        };
        expect(boosted(shuffled, loss, options).predict(data.features)).toEqual(
          boosted(data, loss, options).predict(data.features),
        );
      }),
      { numRuns: 20 },
    );
  });

  it.each(losses)('sees only the order of the values of a feature, %s', (loss) => {
    // Strictly increasing, also in float32: the values it is given are far enough apart.
    const monotone = (value: number) => Math.sign(value) * Math.abs(value) ** 3 + 8 * value - 100;
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const rounded = (data: BoostedTreesData) => data.features.map((value) => Math.round(value * 16) / 16);
        const data = rowsFor(loss, seed);
        const [fitted, others] = [rounded(data), rounded(rowsFor(loss, seed + 1))];
        const plain = boosted({ ...data, features: fitted }, loss, options);
        const bent = boosted({ ...data, features: fitted.map(monotone) }, loss, options);
        expect(bent.predict(fitted.map(monotone))).toEqual(plain.predict(fitted));
        // A threshold is a value that was fitted, so this holds between those values too.
        expect(bent.predict(others.map(monotone))).toEqual(plain.predict(others));
      }),
      { numRuns: 20 },
    );
  });

  it.each(losses)('never loses more on the training rows after another round, %s', (loss) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const data = rowsFor(loss, seed);
        const model = boosted(data, loss, { ...options, learningRate: 0.05, rounds: 30 });
        const reached = Array.from({ length: 31 }, (_, rounds) =>
          meanLoss(loss, model.predict(data.features, rounds), data.labels),
        );
        for (let i = 1; i < reached.length; i++) expect(reached[i]).toBeLessThanOrEqual(reached[i - 1]);
        expect(reached[30]).toBeLessThan(0.8 * reached[0]);
      }),
      { numRuns: 20 },
    );
  });

  it.each(losses)('predicts one thing where all labels are alike, %s', (loss) => {
    const data = rowsFor(loss, 1);
    const { predict } = boosted({ ...data, labels: new Float64Array(60).fill(1) }, loss, options);
    const outputs = predict(data.features);
    const first = outputs.subarray(0, outputs.length / 60);
    outputs.forEach((value, i) => {
      expect(value).toBe(first[i % first.length]);
    });
    if (loss === 'squared') expect(first[0]).toBe(1);
    if (loss === 'logistic') expect(first[0]).toBeGreaterThan(10);
    if (loss === 'softmax') expect(first[1] - Math.max(first[0], first[2])).toBeGreaterThan(10);
  });

  it('takes the one Newton step there is with one split', () => {
    const data = { features: Float32Array.of(0, 0, 1, 1), dimension: 1, labels: Float64Array.of(1, 3, 7, 9) };
    const once = { ...options, rounds: 1, learningRate: 0.5, l2: 2 };
    // From the mean 5, sides of two rows whose residuals add up to −6 and 6: ±0.5 · 6 / (2 + 2).
    expect([...boosted(data, 'squared', once).predict(data.features)]).toEqual([4.25, 4.25, 5.75, 5.75]);
    const heavy = boosted(data, 'squared', { ...once, minChildWeight: 2.5 });
    expect([...heavy.predict(data.features)]).toEqual([5, 5, 5, 5]);
  });

  it('sends what is missing to the better side, on its own if need be, and else right', () => {
    const nan = Number.NaN;
    // What is said to a value below, above, missing and infinite. The mean of five labels is not a binary fraction.
    const say = (features: number[], labels: number[]) =>
      Array.from(
        boosted(
          { features: Float32Array.from(features), dimension: 1, labels: Float64Array.from(labels) },
          'squared',
          { ...options, rounds: 1, learningRate: 1, l2: 0, maxDepth: 1 },
        ).predict(Float32Array.of(-9, 9, nan, Number.POSITIVE_INFINITY)),
        (value) => Number(value.toFixed(12)),
      );
    expect(say([0, 0, 1, 1, nan], [2, 2, 6, 6, 2])).toEqual([2, 6, 2, 6]);
    expect(say([0, 0, 1, 1, nan], [2, 2, 6, 6, 6])).toEqual([2, 6, 6, 6]);
    expect(say([0, 0, 1, 1, nan], [2, 2, 2, 2, 6])).toEqual([2, 2, 6, 2]);
    expect(say([3, 3, nan, nan], [2, 2, 6, 6])).toEqual([2, 2, 6, 2]);
    expect(say([0, 0, 1, 1], [2, 2, 6, 6])).toEqual([2, 6, 6, 6]);
  });

  it('finds a threshold to within a bin among more values than bins', () => {
    const features = Float32Array.from({ length: 4000 }, (_, row) => ((row * 7919) % 4000) / 4000);
    const labels = Float64Array.from(features, (value) => Number(value >= 0.3));
    const settings = { ...options, rounds: 1, learningRate: 1, l2: 0, maxDepth: 1, bins: 64 };
    const { predict } = boosted({ features, dimension: 1, labels }, 'squared', settings);
    let wrong = 0;
    predict(features).forEach((value, row) => {
      wrong += Number(value > 0.5 !== labels[row] > 0.5);
    });
    expect(wrong).toBeLessThanOrEqual(4000 / 64 / 2);
  });

  it('keeps the rounds that are best on validation rows, and stops after', () => {
    const data = rowsFor('logistic', 5, 200);
    const valid = rowsFor('logistic', 6, 200);
    const long = { ...options, rounds: 100, maxDepth: 6 };
    const best = boosted(data, 'logistic', long, valid);
    const all = boosted(data, 'logistic', long);
    const reached = Array.from({ length: 100 }, (_, i) =>
      meanLoss('logistic', all.predict(valid.features, i + 1), valid.labels),
    );
    expect([all.rounds, best.rounds]).toEqual([100, reached.indexOf(Math.min(...reached)) + 1]);
    expect(best.rounds).toBeLessThan(100);
    expect(best.predict(valid.features)).toEqual(all.predict(valid.features, best.rounds));
    const early = boosted(data, 'logistic', { ...long, earlyStoppingRounds: 1 }, valid);
    expect(early.rounds).toBe(reached.findIndex((loss, i) => i > 0 && loss >= reached[i - 1]));
  });

  it('draws rows and features by the seed alone', () => {
    const data = rowsFor('squared', 7);
    const predict = (other: Partial<BoostedTreesOptions>) =>
      boosted(data, 'squared', { ...options, ...other }).predict(data.features);
    const drawn = { rowFraction: 0.5, columnFraction: 0.5 };
    expect(predict(drawn)).toEqual(predict(drawn));
    expect(predict({ ...drawn, seed: 1 })).not.toEqual(predict(drawn));
    expect(predict({ seed: 1 })).toEqual(predict({}));
  });

  it('does without features that are constant, even all', () => {
    const data = rowsFor('squared', 8);
    const wide = new Float32Array(60 * 6).fill(3);
    for (let row = 0; row < 60; row++) wide.set(data.features.subarray(row * 4, row * 4 + 4), row * 6 + 1);
    expect(boosted({ ...data, features: wide, dimension: 6 }, 'squared', options).predict(wide)).toEqual(
      boosted(data, 'squared', options).predict(data.features),
    );
    const labels = Float64Array.of(1, 3);
    for (const nothing of [7, Number.NaN]) {
      const flat = { features: new Float32Array(2).fill(nothing), dimension: 1, labels };
      expect([...boosted(flat, 'squared', options).predict(flat.features)]).toEqual([2, 2]);
    }
  });

  it('says what it cannot use', () => {
    const data = rowsFor('softmax', 9);
    const attempt =
      (other: Partial<BoostedTreesOptions>, loss: BoostingLoss = 'squared', valid = data) =>
      () =>
        boosted(data, loss, { ...options, ...other }, valid);
    expect(attempt({ bins: 257 })).toThrow('bins is 257: expected a whole number between 2 and 256');
    expect(attempt({ l2: -1 })).toThrow('l2 is -1: expected a number from 0');
    expect(attempt({ rounds: 1.5 })).toThrow('rounds is 1.5: expected a whole number from 1');
    expect(attempt({ classes: undefined }, 'softmax')).toThrow('give classes');
    expect(attempt({ classes: 1 }, 'softmax')).toThrow('expects class numbers from 0 below classes');
    expect(attempt({}, 'squared', { ...data, dimension: 3 })).toThrow('expected features [60, 4]');
    expect(attempt({}, 'squared', { ...data, labels: data.labels.map(() => Number.NaN) })).toThrow(
      'label 1 is NaN',
    );
    expect(() => attempt({})().predict(new Float32Array(5))).toThrow('5 numbers are no rows of 4 features');
  });
});
