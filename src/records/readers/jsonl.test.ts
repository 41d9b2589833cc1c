import { expect, it } from 'vitest';
import { jsonCell, jsonlReader } from './jsonl.js';

it('a value that is nested by the thousand is no cell, and no error', () => {
  const nested = (open: string, close: string) =>
    JSON.parse(`${open.repeat(20_000)}1${close.repeat(20_000)}`);
  const what = { what: 'a value that is nested too deep or too long' };
  expect(jsonCell(nested('{"a":', '}'))).toEqual(what);
  expect(jsonCell(nested('[{"a":', '}]'))).toEqual(what);
});

it('counts keys that come up behind the records that columns are told from', async () => {
  const line = (i: number) => (i < 20_480 ? '{"a": 1}' : `{"a": 1, "late": ${i}}`);
  const text = Array.from({ length: 20_483 }, (_, i) => line(i)).join('\n');
  const reader = await jsonlReader(new File([text], 'a.jsonl'));
  for (let pass = 0; pass < 2; pass++) for await (const _ of reader.read(reader.columns, () => {}));
  expect(reader.columns).toEqual([{ name: 'a', type: 'number' }]);
  expect(reader.found?.()).toEqual([
    'keys that none of the first 20480 records has are not read: "late" (3 records from record 20480 on); write a record that has them at the beginning',
  ]);
});
