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
