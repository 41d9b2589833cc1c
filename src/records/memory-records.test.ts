import { describe, expect, it } from 'vitest';
import { copyRecords, type MemoryRecord, memorySource } from './memory-records.js';

const columns = ['value', 'when'] as const;
const schema = {
  version: 1,
  columns: [
    { name: 'value', type: 'number' },
    { name: 'when', type: 'number', format: { kind: 'date', holds: 'date and time', order: 'ymd' } },
  ],
} as const;

async function read(records: readonly MemoryRecord[]) {
  const source = await memorySource(records, { columns: [...columns], schema });
  const rows: unknown[][] = [];
  for await (const { rows: some, columns: cells } of source.read({}))
    for (let row = 0; row < some.length; row++)
      rows.push(columns.map((name) => (cells[name].values as ArrayLike<unknown>)[row]));
  return rows;
}

describe('records in memory', () => {
  it('take dates and large integers for what they are', async () => {
    const when = new Date(Date.UTC(2024, 0, 5, 3, 15));
    const [dated, written, long] = await read([
      { value: 1, when },
      { value: 2, when: '2024-01-05 03:15' },
      { value: 5n, when: null },
    ]);
    expect(dated[1]).toBe(written[1]);
    expect(long[0]).toBe(5);
  });

  it.each<[string, unknown, string]>([
    ['a function', () => 1, 'got a function'],
    ['a symbol', Symbol('blue'), 'got a symbol'],
    ['no date', new Date(Number.NaN), 'got an invalid date'],
  ])('refuse %s by the name of the record and the column', async (_, value, message) => {
    const records = [
      { value: 1, when: null },
      { value, when: null },
    ];
    await expect(read(records)).rejects.toThrow(`records: record 1, column "value": expected a number`);
    await expect(read(records)).rejects.toThrow(message);
  });

  it('refuse what holds itself, a hole and a bad cell in words that need no command line', async () => {
    const circle: Record<string, unknown> = {};
    circle.own = circle;
    const { leftOut } = await memorySource([{ value: circle, when: null }], {
      columns: [...columns],
      schema,
    });
    expect(leftOut).toEqual([
      { name: 'value', reason: expect.stringContaining('or one that holds itself in record 0') },
    ]);
    // biome-ignore lint/suspicious/noSparseArray: it is what is refused
    await expect(read([{ value: 1, when: null }, , { value: 1, when: null }] as never)).rejects.toThrow(
      'records: record 1: expected an object or a text, got undefined',
    );
    await expect(read([{ value: 'x', when: null }])).rejects.toThrow(/^records: record 0, .*"x"$/);
  });

  it('are copied, with their lists', () => {
    const list = [1, 2];
    const records = [{ value: 1 }, list, 'text', Float32Array.of(3)];
    const copies = copyRecords(records as MemoryRecord[]);
    (records[0] as { value: number }).value = 7;
    list.push(9);
    records.length = 0;
    expect(copies).toEqual([{ value: 1 }, [1, 2], 'text', [3]]);
  });
});
