import { describe, expect, it } from 'vitest';
import type { ColumnValues, DataSource } from '../records/record-batch.js';
import { numbers, records, seriesColumn, texts } from '../tokenizers/tokenizer.case.js';
import { checkMonitorTarget, readMonitorLabels } from './watched-labels.js';

/** A source of the columns `name` and `other` in batches of 30 records; the first file row of each batch is counted. */
function sourceOf(name: string, column: ColumnValues, count: number) {
  const read: number[] = [];
  const source: DataSource = {
    path: 'data.csv',
    files: [],
    format: 'csv',
    bytes: 0,
    reject() {},
    columns: [
      { name, type: column.type },
      { name: 'other', type: 'text' },
    ],
    async *read({ columns } = {}) {
      expect(columns).toEqual([name]);
      for (let first = 0; first < count; first += 30) {
        read.push(first);
        const values = (column.values as readonly (string | null)[]).slice(first, first + 30);
        yield records({ [name]: { ...column, values } as ColumnValues }, values.length, first);
      }
    },
  };
  return { source, read };
}

const count = 120;
/** Every third file row. */
const rows = Int32Array.from({ length: 20 }, (_, i) => 3 * i);
const cells = <T>(cell: (row: number) => T) => Array.from({ length: count }, (_, row) => cell(row));
const labels = (column: ColumnValues) =>
  readMonitorLabels(sourceOf('mark', column, count).source, 'mark', rows);
const expected = (value: (row: number) => number) => Float64Array.from(rows, value);

describe('labels to monitor by', () => {
  it('are those of the file rows asked for, and the file is read no further', async () => {
    const { source, read } = sourceOf('mark', numbers(cells((row) => row / 7)), count);
    expect(await readMonitorLabels(source, 'mark', rows)).toEqual({
      kind: 'numbers',
      values: expected((row) => row / 7),
    });
    // The last of the rows is 57.
    expect(read).toEqual([0, 30]);
  });

  it('are classes where they are text or few whole numbers, numbered as they come', async () => {
    const kinds = ['iron', 'gold', 'tin'];
    const kindOf = (row: number) => (row / 3) % 3;
    expect(await labels(texts(cells((row) => kinds[kindOf(row)] ?? 'none')))).toEqual({
      kind: 'classes',
      values: expected(kindOf),
    });
    expect(await labels(numbers(cells((row) => 7 - kindOf(row))))).toEqual({
      kind: 'classes',
      values: expected(kindOf),
    });
    // As many different whole numbers as records are amounts.
    expect((await labels(numbers(cells((row) => row)))).kind).toBe('numbers');
  });

  it('are missing for an empty cell, and for a row that was not read', async () => {
    const text = texts(cells((row) => (row === 0 ? null : row === 3 ? '' : row % 2 === 0 ? 'even' : 'odd')));
    const { values } = await labels(text);
    expect([...values.subarray(0, 4)]).toEqual([Number.NaN, Number.NaN, 0, 1]);
    const far = Int32Array.from([...rows, count + 5]);
    const read = await readMonitorLabels(sourceOf('mark', text, count).source, 'mark', far);
    expect(read.values[20]).toBeNaN();
  });

  it('are refused where no neighbours can be compared', async () => {
    await expect(labels(numbers(cells((row) => (row < 30 ? row : Number.NaN))))).rejects.toThrow(
      'data.csv: column "mark", to monitor by, has a label for 10 of the 20 validation records',
    );
    await expect(labels(texts(cells(() => 'same')))).rejects.toThrow('has the same label "same" for all');
    await expect(labels(texts(cells((row) => `name ${row}`)))).rejects.toThrow(
      'has 20 different texts in 20 validation records, too many to be classes',
    );
  });
});

describe('the column to monitor by', () => {
  const { source } = sourceOf('mark', numbers([1]), 1);

  it('is never one of those that become tokens', () => {
    expect(() => checkMonitorTarget(source, 'mark', ['other'])).not.toThrow();
    expect(() => checkMonitorTarget(source, 'mark', ['other', 'mark'])).toThrow(
      'data.csv: column "mark", to monitor by, would be learned from, so its score would say nothing; leave it out with --ignore mark',
    );
  });

  it('has to be there and to hold one value a record', () => {
    expect(() => checkMonitorTarget(source, 'marks', [])).toThrow(
      'no column "marks" to monitor by; it has mark, other',
    );
    const waves = sourceOf('mark', seriesColumn([[1, 2]]), 1).source;
    expect(() => checkMonitorTarget(waves, 'mark', [])).toThrow('holds series; expected numbers or text');
  });
});
