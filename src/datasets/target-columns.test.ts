import { describe, expect, it } from 'vitest';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import { describeLabels } from '../scoring/labels.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { ClassTexts, checkTargets, classesInTwoCases, labelValues } from './target-columns.js';

const source = {
  columns: [
    { name: 'toxic', type: 'number' },
    { name: 'colour', type: 'text' },
  ],
} as unknown as DataSource;

const batch = (values: number[], texts: (string | null)[]): RecordBatch => ({
  rows: Int32Array.from(values.keys()),
  columns: { toxic: { type: 'number', values: Float64Array.from(values) } },
  texts: { toxic: texts },
});

it('a target without a value among the records that types are told from is refused', () => {
  const late = {
    path: 'a.csv',
    columns: [{ name: 'y', type: 'text', empty: true }],
  } as unknown as DataSource;
  expect(() => checkTargets(late, { columns: [] } as unknown as Tokenizer, ['y'])).toThrow(
    'a.csv: target column "y" has no value in the first records, which types are told from; put records that have one first',
  );
});

describe('classes in text', () => {
  it('are named without the blanks around them, and blanks alone are missing', () => {
    const values = labelValues(source, 'colour', { type: 'text', values: ['red', ' red ', ' ', null] });
    expect(values).toEqual(['red', 'red', null, null]);
  });

  it('are told where they differ in case alone', () => {
    const specOf = (values: string[]) => describeLabels([{ name: 'y', values }]);
    expect(classesInTwoCases(specOf(['no', 'yes', 'No', 'yes', 'no', 'No']))).toBe(
      'target column y: the classes "No" and "no" differ in case alone; if they are one, write them alike',
    );
    expect(classesInTwoCases(specOf(['no', 'yes', 'no']))).toBeUndefined();
  });
});

describe('ClassTexts', () => {
  it('names classes of numbers as the file writes them', () => {
    const texts = new ClassTexts(source, ['toxic']);
    expect(texts.columns).toEqual(['toxic']);
    texts.add(batch([0, Number.NaN, 1], ['0.0', null, '1.0']));
    texts.add(batch([1, 0], ['1', '0']));
    const spec = describeLabels([{ name: 'toxic', values: Float64Array.of(0, 1, 0, 1) }]);
    expect(spec.classes).toEqual([['0', '1']]);
    expect(texts.named(spec)).toEqual({ ...spec, classes: [['0.0', '1.0']] });
  });

  it('leaves texts as they are', () => {
    const texts = new ClassTexts(source, ['colour']);
    const spec = describeLabels([{ name: 'colour', values: ['red', 'blue', 'red'] }]);
    expect(texts.columns).toEqual([]);
    expect(texts.named(spec)).toEqual(spec);
  });
});
