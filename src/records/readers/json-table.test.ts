import { describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { openBytes } from '../open-bytes.js';

const asFile = (value: unknown, name = 'a.json') =>
  new File([typeof value === 'string' ? value : JSON.stringify(value, null, 1)], name);

async function read(file: File) {
  const source = await openBytes(file);
  const columns: Record<string, (number | string | null)[]> = Object.create(null);
  for await (const batch of source.read())
    for (const [name, { values }] of Object.entries(batch.columns))
      columns[name] = [...(columns[name] ?? []), ...values];
  return { format: source.format, columns };
}

async function failure(file: File): Promise<string> {
  try {
    await read(file);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('it was read');
}

const table = { format: 'json', columns: { x: [1, 2.5, Number.NaN], y: ['a', null, 'c'] } };
const records = [
  { x: 1, y: 'a' },
  { x: 2.5, y: null },
  { x: null, y: 'c' },
];

describe('a JSON object that holds a table', () => {
  it.each([
    ['by columns', { x: [1, 2.5, null], y: ['a', null, 'c'] }],
    ['in one key', { data: records }],
    ['in one key beside others', { version: 2, names: ['x', 'y'], data: records }],
    [
      'split as by pandas',
      {
        columns: ['x', 'y'],
        index: [0, 1, 2],
        data: [
          [1, 'a'],
          [2.5, null],
          [null, 'c'],
        ],
      },
    ],
    ['as pandas writes it by default', { x: { 0: 1, 1: 2.5, 2: null }, y: { 0: 'a', 1: null, 2: 'c' } }],
  ])('%s is read', async (_, value) => {
    expect(await read(asFile(value))).toEqual(table);
    expect(await read(asFile(JSON.stringify(value)))).toEqual(table);
  });

  it.each([
    '{"id": [9007199254740993, 12345678901234567890], "x": [NaN, 0.1234567890123456]}',
    '{"data": [{"id": 9007199254740993, "x": null}, {"id": 12345678901234567890, "x": 0.1234567890123456}]}',
    '{"id": {"0": 9007199254740993, "1": 12345678901234567890}, "x": {"0": -Infinity, "1": 0.1234567890123456}}',
  ])('has integers that no number holds as text, %s', async (text) => {
    expect((await read(asFile(text))).columns).toEqual({
      id: ['9007199254740993', '12345678901234567890'],
      x: [Number.NaN, 0.1234567890123456],
    });
  });

  it('takes any name for a name', async () => {
    const { columns } = await read(asFile('{"__proto__": [1, 2], "constructor": ["a", "b"]}'));
    expect(Object.entries(columns)).toEqual([
      ['__proto__', [1, 2]],
      ['constructor', ['a', 'b']],
    ]);
  });

  it('is refused where its columns differ in length, or there are several tables', async () => {
    expect(await failure(asFile({ x: [1, 2], y: [1] }))).toBe(
      'a.json: columns of one length are expected, but "x" has 2 values and "y" has 1',
    );
    expect(await failure(asFile({ columns: ['x', 'y'], data: [[1, 2], [3]] }))).toBe(
      'a.json: record 1 of "data": expected 2 values as "columns" has names, got 1',
    );
    expect(await failure(asFile({ a: records, b: records }))).toContain('several tables (a, b)');
    expect(await failure(asFile({ x: [], y: [] }))).toContain('no records');
  });

  it('is refused where it is none, with how to write one', async () => {
    const message = await failure(asFile({ name: 'model', layers: 3 }));
    expect(message).toContain('a.json: one JSON object with the keys name, layers, no table; expected');
    expect(message).toContain('df.to_json("data.json", orient="records")');
    expect(await failure(asFile('{\n "x": [1, 2\n'))).toMatch(/^a\.json: (line \d+: )?not valid JSON/);
  });
});

describe('lines of objects in a .json file', () => {
  it('are records as before, also a single one', async () => {
    const lines = records.map((record) => JSON.stringify(record)).join('\n');
    expect(await read(asFile(lines))).toEqual({ ...table, format: 'jsonl' });
    expect((await read(asFile('{"x": 1, "y": "}{"}'))).columns).toEqual({ x: [1], y: ['}{'] });
    expect((await read(asFile('{"x": [1, 2], "y": [3, 4]}', 'a.jsonl'))).columns).toEqual({
      x: ['1 2'],
      y: ['3 4'],
    });
  });
});
