import { describe, expect, it } from 'vitest';
import type { DataSource, ReadOptions, RecordBatch } from '../records/record-batch.js';
import { rememberOnce } from './remember.js';

/** A source of `count` batches of `size` numbers that counts how often it is read. */
function counted(count: number, size: number): DataSource & { reads: number } {
  return {
    path: 'numbers.csv',
    files: ['numbers.csv'],
    format: 'csv',
    bytes: 0,
    columns: [{ name: 'x', type: 'number' }],
    reads: 0,
    async *read() {
      this.reads++;
      for (let batch = 0; batch < count; batch++) {
        const rows = Int32Array.from({ length: size }, (_, i) => batch * size + i);
        yield { rows, columns: { x: { type: 'number', values: Float64Array.from(rows) } } };
      }
    },
  };
}

async function rowsOf(source: DataSource, options?: ReadOptions, most = Number.POSITIVE_INFINITY) {
  const batches: RecordBatch[] = [];
  for await (const batch of source.read(options)) if (batches.push(batch) >= most) break;
  return batches.flatMap(({ rows }) => [...rows]);
}

describe('a source that is remembered once', () => {
  it('is parsed once for two reads of the same columns, and again for a third', async () => {
    const file = counted(3, 4);
    const source = rememberOnce(file);
    for (const parsed of [1, 1, 2, 2]) {
      expect(await rowsOf(source, { columns: ['x'] })).toEqual([...Array(12).keys()]);
      expect(file.reads).toBe(parsed);
    }
  });

  it('is parsed again for other columns', async () => {
    const file = counted(1, 2);
    const source = rememberOnce(file);
    await rowsOf(source);
    await rowsOf(source, { columns: ['x'] });
    expect(file.reads).toBe(2);
  });

  it('does not take a part for the whole', async () => {
    const file = counted(3, 2);
    const source = rememberOnce(file);
    expect(await rowsOf(source, {}, 1)).toEqual([0, 1]);
    expect(await rowsOf(source)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(file.reads).toBe(2);
  });

  it('does not keep a large file', async () => {
    const file = counted(5, 1 << 20);
    const source = rememberOnce(file);
    for (let read = 0; read < 2; read++) for await (const _ of source.read());
    expect(file.reads).toBe(2);
  });
});
