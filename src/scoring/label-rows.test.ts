import { describe, expect, it } from 'vitest';
import { realRecords } from '../tokenizers/real-records.case.js';
import { labelOffsets, takeLabelRows } from './label-rows.js';

const { block } = (await realRecords()).discrete;

describe('the label rows of records', () => {
  it('are one for each record, or as many as it has tokens where these are labelled', () => {
    for (const task of ['regression', 'binary', 'multiclass', 'multilabel'] as const)
      expect(labelOffsets({ task }, block)).toEqual(Int32Array.from({ length: 17 }, (_, record) => record));
    expect(labelOffsets({ task: 'per-token' }, block)).toEqual(block.offsets);
  });

  it('are taken whole, in the order of the records that are wanted, again and again if they are', () => {
    // Records of two, no, three and one row, each row of two numbers.
    const offsets = Int32Array.of(0, 2, 2, 5, 6);
    const values = Float64Array.of(0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51);
    const taken = (records: number[]) => [...takeLabelRows(values, offsets, records, 2)];
    expect(taken([3, 0])).toEqual([50, 51, 0, 1, 10, 11]);
    expect(taken([2, 1, 2])).toEqual([20, 21, 30, 31, 40, 41, 20, 21, 30, 31, 40, 41]);
    expect(taken([])).toEqual([]);
    expect(takeLabelRows(values, offsets, [0, 1, 2, 3], 2)).toEqual(values);
  });
});
