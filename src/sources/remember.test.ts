import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import type { BadRecord, DataSource, ReadOptions, RecordBatch } from '../records/record-batch.js';
import { rememberSmall } from './remember.js';

/** A source of `count` batches of `size` numbers that counts how often it is read; record `bad` has no good cell in `y`. */
function counted(
  count: number,
  size: number,
  {
    bytes = 100,
    bad,
    reject = () => {},
  }: { bytes?: number; bad?: number; reject?: DataSource['reject'] } = {},
): DataSource & { reads: number } {
  return {
    path: 'numbers.csv',
    files: ['numbers.csv'],
    format: 'csv',
    bytes,
    columns: [
      { name: 'x', type: 'number' },
      { name: 'y', type: 'number' },
    ],
    reads: 0,
    reject,
    async *read({ columns = ['x', 'y'], reject: own = reject } = {}) {
      this.reads++;
      for (let batch = 0; batch < count; batch++) {
        const all = Array.from({ length: size }, (_, i) => batch * size + i);
        const rows = Int32Array.from(all.filter((row) => row !== bad || !columns.includes('y')));
        if (rows.length < size) own({ path: 'numbers.csv', row: bad!, message: 'no number' });
        const values = Float64Array.from(rows);
        yield {
          rows,
          columns: Object.fromEntries(columns.map((name) => [name, { type: 'number', values }])),
        };
      }
    },
  };
}

async function rowsOf(source: DataSource, options?: ReadOptions, most = Number.POSITIVE_INFINITY) {
  const batches: RecordBatch[] = [];
  for await (const batch of source.read(options)) if (batches.push(batch) >= most) break;
  return batches.flatMap(({ rows }) => [...rows]);
}

describe('a small source', () => {
  it('is parsed once, whatever is read of it after all its columns', async () => {
    const file = counted(3, 4);
    const source = rememberSmall(file);
    const all = [...Array(12).keys()];
    expect(await rowsOf(source)).toEqual(all);
    expect(await rowsOf(source, { columns: ['x'] })).toEqual(all);
    for await (const { columns } of source.read({ columns: ['y'] }))
      expect(Object.keys(columns)).toEqual(['y']);
    expect(await rowsOf(source, { few: true }, 1)).toEqual([0, 1, 2, 3]);
    expect(file.reads).toBe(1);
  });

  it('is read to its end where the first reading stops', async () => {
    const file = counted(3, 2);
    const source = rememberSmall(file);
    expect(await rowsOf(source, {}, 1)).toEqual([0, 1]);
    expect(await rowsOf(source)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(file.reads).toBe(1);
  });

  it('is not taken for whole from a reading that failed', async () => {
    const file = counted(3, 2);
    const read = file.read.bind(file);
    let broken = true;
    file.read = async function* (options) {
      for await (const batch of read(options)) {
        yield batch;
        if (broken) throw new Error('the disk is gone');
      }
    };
    const source = rememberSmall(file);
    await expect(rowsOf(source)).rejects.toThrow('the disk is gone');
    broken = false;
    expect(await rowsOf(source)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is not taken for whole from a reading of some columns', async () => {
    const file = counted(1, 2);
    const source = rememberSmall(file);
    await rowsOf(source, { columns: ['x'] });
    await rowsOf(source, { columns: ['x'] });
    expect(file.reads).toBe(2);
  });

  it('is read anew with a bad record, since another column may have none', async () => {
    const told: BadRecord[] = [];
    const file = counted(2, 3, { bad: 4, reject: (bad) => told.push(bad) });
    const source = rememberSmall(file);
    expect(await rowsOf(source)).toEqual([0, 1, 2, 3, 5]);
    expect(await rowsOf(source, { columns: ['x'] })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(file.reads).toBe(2);
    expect(told).toHaveLength(1);
  });

  it('refuses a bad record only where what reads it had come to it', async () => {
    const reject = ({ row }: BadRecord) => {
      throw new InputError(`record ${row}`);
    };
    await expect(rowsOf(rememberSmall(counted(2, 3, { bad: 4, reject })))).rejects.toThrow('record 4');
    expect(await rowsOf(rememberSmall(counted(2, 3, { bad: 4, reject })), {}, 1)).toEqual([0, 1, 2]);
  });
});

it('a large source is not kept', async () => {
  for (const file of [counted(5, 1 << 20), counted(1, 1, { bytes: 1 << 30 })]) {
    const source = rememberSmall(file);
    for (let read = 0; read < 2; read++) for await (const _ of source.read());
    expect(file.reads).toBe(2);
  }
});
