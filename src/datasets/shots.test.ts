import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelSpec } from '../scoring/labels.js';
import { describeShortage, drawShots } from './shots.js';

const spec = (task: LabelSpec['task'], classes: string[]): LabelSpec => ({
  task,
  columns: ['y'],
  targets: 1,
  outputs: Math.max(1, classes.length),
  classes: classes.length > 0 ? [classes] : [],
  reason: '',
});

/** Records in turn for training, training, validation and test. */
const partedLabels = (labels: number[]) => {
  const of = (turns: number[]) => Int32Array.from([...labels.keys()].filter((i) => turns.includes(i % 4)));
  return { labels: Float64Array.from(labels), members: { train: of([0, 1]), valid: of([2]), test: of([3]) } };
};
const classes = ['a', 'b', 'c'];
const anyLabels = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 80 });

describe('drawShots', () => {
  it('takes so many of each class, or all there are, of training and of validation, and leaves the test', () => {
    fc.assert(
      fc.property(anyLabels, fc.integer({ min: 1, max: 9 }), fc.nat(), (values, shots, seed) => {
        const { labels, members } = partedLabels(values);
        const drawn = drawShots({ labels, members, spec: spec('multiclass', classes) }, shots, seed);
        expect(drawn.test).toEqual(members.test);
        for (const part of ['train', 'valid'] as const) {
          expect([...drawn[part]]).toEqual([...drawn[part]].sort((a, b) => a - b));
          for (const label of classes.keys()) {
            const count = (records: Int32Array) =>
              records.filter((record) => labels[record] === label).length;
            expect(count(drawn[part])).toBe(Math.min(shots, count(members[part])));
          }
        }
      }),
    );
  });

  it('draws fewer shots from among more, by the seed alone', () => {
    const data = { ...partedLabels(Array.from({ length: 400 }, (_, i) => i)), spec: spec('regression', []) };
    const few = drawShots(data, 5, 3).train;
    const more = drawShots(data, 40, 3).train;
    expect([few.length, more.length]).toEqual([5, 40]);
    expect(few.every((record) => more.includes(record))).toBe(true);
    expect(drawShots(data, 5, 3).train).toEqual(few);
    expect(drawShots(data, 5, 4).train).not.toEqual(few);
  });
});

describe('describeShortage', () => {
  const labels = [0, 0, 0, 0, 1, 0, 0, 0];
  it('names the classes with fewer records', () => {
    const data = { ...partedLabels(labels), spec: spec('binary', ['no', 'yes']) };
    expect(describeShortage(data, 1)).toBeUndefined();
    expect(describeShortage(data, 2)).toBe(
      '2 shots: the training part has only 1 of y yes; all of them are taken',
    );
  });
  it('counts records where there are no classes', () => {
    const data = { ...partedLabels(labels), spec: spec('regression', []) };
    expect(describeShortage(data, 4)).toBeUndefined();
    expect(describeShortage(data, 5)).toBe('5 shots: the training part has only 4; all of them are taken');
  });
});
