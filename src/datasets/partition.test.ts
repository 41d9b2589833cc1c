import { describe, expect, it } from 'vitest';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { numbers, seriesColumn, texts } from '../tokenizers/tokenizer.case.js';
import { partition } from './partition.js';

const batch: RecordBatch = {
  rows: Int32Array.of(4, 5, 6),
  columns: {
    series: seriesColumn(
      [
        [1, 2, 3, 4],
        [5, 6],
        [7, 8, 9, 10, 11, 12],
      ],
      2,
    ),
    label: texts(['a', 'b', 'c']),
  },
};

describe('selected records', () => {
  it('keep their series, of whatever length', () => {
    expect(selectRecords(batch, [0, 2])).toEqual({
      rows: Int32Array.of(4, 6),
      columns: {
        series: seriesColumn(
          [
            [1, 2, 3, 4],
            [7, 8, 9, 10, 11, 12],
          ],
          2,
        ),
        label: texts(['a', 'c']),
      },
    });
    const { series } = selectRecords(batch, []).columns;
    expect([series.type, series.values.length]).toEqual(['series', 0]);
  });
});

describe('a split column with training and test records alone', () => {
  it('gives validation some of the training records, and keeps every test record', async () => {
    const named = Array.from({ length: 400 }, (_, row) => (row < 300 ? 'train' : 'test'));
    const records = {
      rows: Int32Array.from(named, (_, row) => row),
      columns: { split: texts(named), row: numbers(named.map((_, row) => row)) },
    };
    const source: DataSource = {
      path: 'set',
      files: [],
      format: 'ts',
      bytes: 0,
      columns: [
        { name: 'split', type: 'text' },
        { name: 'row', type: 'number' },
      ],
      reject() {},
      async *read() {
        yield records;
      },
    };
    const options = { column: 'split', columns: ['split', 'row'], heldOut: { valid: 0.1, test: 0.5 } };
    const parts = (await partition(source, options))(records);
    expect(parts.slice(300).every((part) => part === 'test')).toBe(true);
    const valid = parts.slice(0, 300).filter((part) => part === 'valid').length;
    expect(parts.slice(0, 300).filter((part) => part === 'train').length).toBe(300 - valid);
    // Within four standard deviations of 30.
    expect(Math.abs(valid - 30)).toBeLessThan(21);
  });
});
