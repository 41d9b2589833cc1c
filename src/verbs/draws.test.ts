import { expect, it } from 'vitest';
import type { LabelledData } from '../datasets/labelled-data.js';
import { drawsOf } from './draws.js';

const COUNT = 60;
const members = {
  train: Int32Array.from({ length: 30 }, (_, i) => i),
  valid: Int32Array.from({ length: 20 }, (_, i) => 30 + i),
  test: Int32Array.from({ length: 10 }, (_, i) => 50 + i),
};
const counts = { train: 30, valid: 20, test: 10 };
/** The first target changes from record to record, the second is 1 for every tenth. */
const labelled = {
  block: { count: COUNT, offsets: Int32Array.from({ length: COUNT + 1 }, (_, i) => i) },
  labels: Float64Array.from({ length: 2 * COUNT }, (_, i) =>
    i % 2 === 0 ? (i / 2) % 2 : Number(((i - 1) / 2) % 10 === 0),
  ),
  members,
  counts,
  splits: [{ members, counts }],
  spec: {
    task: 'multilabel',
    targets: 2,
    outputs: 2,
    columns: ['a', 'b'],
    classes: [
      ['0', '1'],
      ['0', '1'],
    ],
  },
} as unknown as LabelledData;

it('tells where a few validation records leave a target out of the mean', () => {
  const { draws, defined } = drawsOf(labelled, { shots: [4], seeds: 1, metric: 'roc-auc' });
  expect(draws).toHaveLength(1);
  expect(defined.notes.join('\n')).toMatch(
    /4 shots: ROC-AUC of the validation part is a mean over 1 of 2 targets/,
  );
  expect(() => drawsOf(labelled, { shots: [1], seeds: 1, metric: 'roc-auc' })).toThrow(
    /^1 shot, .*leave 1 out of --shots/,
  );
});
