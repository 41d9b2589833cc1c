import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { PARTS } from '../records/split.js';
import { describeLabels, encodeLabels } from './labels.js';
import type { MetricName } from './metrics.js';
import type { LabelledRecords } from './parts.js';
import { checkDefined } from './undefined-scores.js';

/** Records without tokens of note: per target the labels of each part; a space is a missing one. */
function labelled(...targets: Record<'train' | 'valid' | 'test', string>[]): LabelledRecords {
  const counts = PARTS.map((part) => targets[0][part].length);
  const count = counts[0] + counts[1] + counts[2];
  const columns = targets.map((parts, i) => ({
    name: `y${i}`,
    values: [...PARTS.map((part) => parts[part]).join('')].map((letter) => (letter === ' ' ? null : letter)),
  }));
  const spec = describeLabels(columns);
  const from = (start: number, size: number) => Int32Array.from({ length: size }, (_, i) => start + i);
  return {
    block: {
      count,
      rows: from(0, count),
      offsets: from(0, count + 1),
      ids: new Int32Array(count).fill(1),
    },
    labels: encodeLabels(spec, columns),
    members: {
      train: from(0, counts[0]),
      valid: from(counts[0], counts[1]),
      test: from(counts[0] + counts[1], counts[2]),
    },
    spec,
  };
}

/** Nine records with numbers to predict, three in each part. */
function regression(targets: Record<string, number[]>): LabelledRecords {
  const part = 'nyn';
  const { block, members } = labelled({ train: part, valid: part, test: part });
  const columns = Object.entries(targets).map(([name, values]) => ({
    name,
    values: Float64Array.from(values),
  }));
  const spec = describeLabels(columns);
  return { block, labels: encodeLabels(spec, columns), members, spec };
}

const check = (metric: MetricName, ...targets: Parameters<typeof labelled>) =>
  checkDefined(labelled(...targets), metric);

describe('checkDefined', () => {
  it('has nothing to say where every part has both classes', () => {
    expect(check('roc-auc', { train: 'nyny', valid: 'ny', test: 'yn' })).toEqual({ notes: [] });
  });

  it('says that the test part has one class, which leaves accuracy defined', () => {
    const rare = { train: 'nyny', valid: 'nny', test: 'nn ' };
    const reason = 'ROC-AUC is not defined: of y0 all 2 labels are "n" in the test part';
    expect(check('roc-auc', rare)).toEqual({
      test: reason,
      notes: [`the scores of the test part are undefined, as ${reason}`],
    });
    expect(check('accuracy', rare)).toEqual({ notes: [] });
  });

  it('refuses to choose by what validation does not define, with what to try', () => {
    const asked = () => check('roc-auc', { train: 'nyny', valid: 'nnn', test: 'ny' });
    expect(asked).toThrow(InputError);
    expect(asked).toThrow(
      /^ROC-AUC is not defined on the validation part, so nothing can be chosen by it: of y0 all 3 labels are "n" in the validation part; .*--valid-fraction.*, or --metric accuracy$/,
    );
  });

  it('tells which targets are left out of a mean over several', () => {
    const both = { train: 'nyny', valid: 'ny', test: 'ny' };
    expect(check('roc-auc', both, { train: 'yynn', valid: 'yn', test: ' y' }).notes).toEqual([
      'ROC-AUC of the test part is a mean over 1 of 2 targets: of y1 the only label is "y" in the test part',
    ]);
  });

  it('says that one class alone teaches nothing, whatever the metric needs', () => {
    const [none, some] = ['nnn', 'nyn'].map((train) => ({ train, valid: 'ny', test: 'ny' }));
    expect(check('accuracy', none).notes).toEqual([
      'nothing can be learned: of y0 all 3 labels are "n" in the training part',
    ]);
    expect(check('log-loss', none, some).notes).toEqual([
      'of 1 of 2 targets nothing can be learned: of y0 all 3 labels are "n" in the training part',
    ]);
  });

  it('says which of several targets decides a mean in their units', () => {
    const spread = (times: number) => Array.from({ length: 9 }, (_, i) => times * Math.sin(i));
    const notes = (metric: MetricName, times: number) =>
      checkDefined(regression({ small: spread(1), big: spread(times) }), metric).notes;
    expect(notes('rmse', 11)).toEqual([
      'RMSE is a mean over targets in their own units, and big varies more than ten times as much as small, so it decides; --metric r2 counts all alike',
    ]);
    expect(notes('mae', 9)).toEqual([]);
    expect(notes('r2', 11)).toEqual([]);
  });

  it('names the parts as it is told', () => {
    const asked = () =>
      checkDefined(labelled({ train: 'nn', valid: 'nn', test: 'ny' }), 'roc-auc', {
        names: { valid: 'the folds' },
      });
    expect(asked).toThrow('ROC-AUC is not defined on the folds, so nothing');
  });

  it('says that one class alone teaches nothing to a ranking', () => {
    expect(check('roc-auc', { train: 'nnn', valid: 'ny', test: 'ny' }).notes).toEqual([
      'nothing can be learned: of y0 all 3 labels are "n" in the training part',
    ]);
  });
});
