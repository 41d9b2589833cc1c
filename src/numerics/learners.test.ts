import { describe, expect, it } from 'vitest';
import reference from '../../test/fixtures/learners.json' with { type: 'json' };
import { fitBoostedTrees, predictBoostedTrees } from './boosted-trees.js';
import { fitForest } from './forest.js';
import { applyLinear } from './linear-model.js';
import { logistic } from './logistic.js';
import { principalRows } from './principal-axes.js';
import { ridge } from './ridge.js';
import { predictTrees } from './tree-ensemble.js';

const [ROWS, FITTED, COLUMNS] = [1600, 800, 10];

/** Friedman's first function (Annals of Statistics 1991) with noise of deviation 1, by the lines of test/fixtures/make-learners.py. */
function friedman(): { x: Float32Array; y: Float64Array } {
  let state = 1;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const x = new Float32Array(ROWS * COLUMNS);
  const y = new Float64Array(ROWS);
  for (let row = 0; row < ROWS; row++) {
    const own = x.subarray(row * COLUMNS, (row + 1) * COLUMNS);
    for (let j = 0; j < COLUMNS; j++) own[j] = uniform();
    const [a, b, c, d, e] = own;
    let noise = 0;
    for (let i = 0; i < 12; i++) noise += uniform();
    y[row] = 10 * Math.sin(Math.PI * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e + noise - 6;
  }
  return { x, y };
}

const { x, y } = friedman();
const above = y.map((value) => Number(value > 14.5));
const features = x.subarray(0, FITTED * COLUMNS);
const rest = x.subarray(FITTED * COLUMNS);
const rmse = (predicted: Float64Array) =>
  Math.sqrt(predicted.reduce((sum, value, i) => sum + (value - y[FITTED + i]) ** 2, 0) / predicted.length);
const logLoss = (chances: Float64Array) =>
  -chances.reduce((sum, chance, i) => {
    const kept = Math.min(Math.max(chance, 0.0005), 0.9995);
    return sum + Math.log(above[FITTED + i] === 1 ? kept : 1 - kept);
  }, 0) / chances.length;
const chancesOf = (logits: Float64Array) => logits.map((logit) => 1 / (1 + Math.exp(-logit)));

describe('learners beside scikit-learn and LightGBM, on the same rows', () => {
  it('have the same rows', () => {
    expect(y.reduce((sum, value) => sum + value, 0)).toBeCloseTo(reference.sum, 6);
  });

  const rows = principalRows(features, COLUMNS);

  it('ridge and logistic regression agree', async () => {
    const values = ridge(rows, y.subarray(0, FITTED))(0.01);
    expect(rmse(applyLinear(values, rest))).toBeCloseTo(reference.ridge, 5);
    const classes = await logistic(rows, above.subarray(0, FITTED), 1)(0.01);
    expect(logLoss(chancesOf(applyLinear(classes, rest)))).toBeCloseTo(reference.logistic, 5);
  });

  /** The mean score over three seeds is that of the reference within two deviations over its seeds and a share for what differs. */
  const agrees = (
    score: (seed: number) => number,
    { mean, deviation }: { mean: number; deviation: number },
    share: number,
  ) => {
    const scores = [0, 1, 2].map(score);
    const own = scores.reduce((sum, value) => sum + value, 0) / scores.length;
    expect(Math.abs(own - mean), `${own} against ${mean}`).toBeLessThan(share * mean + 2 * deviation);
  };

  it.each([
    ['squared', y, rmse, reference.boosted.rmse],
    ['logistic', above, (logits: Float64Array) => logLoss(chancesOf(logits)), reference.boosted.logLoss],
  ] as const)('boosted trees score as LightGBM does, %s loss', (loss, labels, score, expected) => {
    agrees(
      (seed) => {
        const model = fitBoostedTrees(
          { features, dimension: COLUMNS, labels: labels.slice(0, FITTED) },
          loss,
          {
            rounds: 200,
            maxLeaves: 15,
            minRows: 20,
            minChildWeight: 1e-3,
            learningRate: 0.05,
            l2: 1,
            columnFraction: 0.8,
            rowFraction: 0.8,
            bins: 256,
            seed,
          },
        );
        return score(predictBoostedTrees(model, rest));
      },
      expected,
      0.01,
    );
  });

  // A row that is drawn twice counts twice in a leaf, and a node tries each feature with a probability, not a fixed number.
  const FORESTS = 0.03;

  it.each(['best', 'random'] as const)('forests score as scikit-learn does, %s thresholds', (thresholds) => {
    const common = { trees: 300, minRows: 5, bins: 256, thresholds };
    agrees(
      (seed) => {
        const model = fitForest(
          { features, dimension: COLUMNS, labels: y.slice(0, FITTED) },
          { ...common, featureFraction: 1 / 3, seed },
        );
        return rmse(predictTrees(model, rest));
      },
      reference[thresholds].rmse,
      FORESTS,
    );
    agrees(
      (seed) => {
        const model = fitForest(
          { features, dimension: COLUMNS, labels: above.slice(0, FITTED) },
          { ...common, featureFraction: 0.4, seed },
        );
        return logLoss(predictTrees(model, rest));
      },
      reference[thresholds].logLoss,
      FORESTS,
    );
  });
});
