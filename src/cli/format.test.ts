import { expect, it } from 'vitest';
import type { Scores } from '../runs/scores.js';
import { formatEvaluation } from './format.js';

const scores: Scores = {
  task: 'binary',
  targets: ['y'],
  metric: 'roc-auc',
  higherIsBetter: true,
  split: { by: 'column split', train: 80, valid: 10, test: 1000 },
  methods: [],
};

it.each([
  [undefined, 'the run does not tell whether it learned from them'],
  [{ records: 0, of: 1000, exact: true }, 'pretraining learned from none of them'],
  [{ records: 12, of: 1000, exact: true }, 'pretraining learned from 12 of them'],
  [{ records: 12, of: 1000, exact: false }, 'pretraining learned from about 12 of them'],
])('the table of an evaluation says what pretraining knew of the test records: %j', (testLearned, said) => {
  const [line] = formatEvaluation({ ...scores, split: { ...scores.split, testLearned } }).split('\n');
  expect(line).toBe(`split by column split: 80 train, 10 valid, 1,000 test (${said})`);
});

it('says in words why a score is undefined', () => {
  const nothing = { mean: Number.NaN, sd: Number.NaN, low: Number.NaN, high: Number.NaN, n: 2 };
  const reason = 'ROC-AUC is not defined: of y all 1000 labels are "0" in the test part';
  const method = { metric: 'roc-auc', perSeed: [Number.NaN, Number.NaN], seconds: 1, reason, ...nothing };
  const methods = ['sma', 'untrained'].map((name) => ({ method: name, ...method }));
  const text = formatEvaluation({ ...scores, methods });
  expect(text).not.toContain('NaN');
  expect(text.match(/undefined {2}/g)).toHaveLength(2);
  expect(text.split('\n').filter((line) => line === `undefined: ${reason}`)).toHaveLength(1);
});

it('has columns for splits and shots where there are some, and a line for what pretraining brought', () => {
  const interval = { mean: 0.8, sd: 0.01, low: 0.79, high: 0.81, n: 2 };
  const row = { metric: 'roc-auc', perSeed: [0.79, 0.81], perSplit: [0.79, 0.81], shots: 10, seconds: 1 };
  const text = formatEvaluation({
    ...scores,
    split: { ...scores.split, splits: 2 },
    methods: [{ method: 'sma', ...row, ...interval }],
    differences: [
      {
        method: 'sma',
        minus: 'untrained',
        metric: 'roc-auc',
        shots: 10,
        ...interval,
        mean: 0.1,
        low: -0.1,
        high: 0.3,
      },
    ],
  });
  expect(text).toContain('1,000 test in the first (');
  expect(text).toMatch(/method +shots +metric +mean +95 % interval +splits +each split +time/);
  expect(text).toMatch(/sma +10 +roc-auc .* 2 +0\.7900 {2}0\.8100/);
  expect(text).toContain(
    'sma − untrained, 10 shots: roc-auc 0.1000 (-0.1000 – 0.3000), paired by split and seed',
  );
});
