import { expect, it } from 'vitest';
import { jsonCell } from './jsonl.js';

it('a value that is nested by the thousand is no cell, and no error', () => {
  const nested = (open: string, close: string) =>
    JSON.parse(`${open.repeat(20_000)}1${close.repeat(20_000)}`);
  const what = { what: 'a value that is nested too deep or too long' };
  expect(jsonCell(nested('{"a":', '}'))).toEqual(what);
  expect(jsonCell(nested('[{"a":', '}]'))).toEqual(what);
});
