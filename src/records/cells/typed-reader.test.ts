/** What no sample of the first records tells, on a disk and of bytes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { diskFile } from '../../sources/disk-file.js';
import { openSource } from '../../sources/open-source.js';
import { openBytes } from '../open-bytes.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-typed-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The types of a file's columns, and what is said of it before it was read and after it was read twice. */
async function opened(text: string) {
  const path = join(folder, 'a.csv');
  writeFileSync(path, text);
  const told = [];
  for (const source of [await openSource(path), await openBytes(await diskFile(path))]) {
    const before = source.found?.();
    for (let pass = 0; pass < 2; pass++) for await (const _ of source.read());
    told.push({ columns: source.columns, before, after: source.found?.() });
  }
  expect(told[1]).toEqual(told[0]);
  return told[0];
}

const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i));

describe('behind the sample that types are told from', () => {
  it('values of a column without any there are counted', async () => {
    const rows = [...lines(10_000, (i) => `${i}.5,`), '1.5,NA', '2.5,0.25', '3.5,0.5'];
    const { columns, before, after } = await opened(`a,wind\n${rows.join('\n')}\n`);
    expect(columns[1]).toEqual({ name: 'wind', type: 'text', empty: true });
    expect(before).toEqual([]);
    expect(after).toEqual([
      'column wind: no value in the first 10000 records, which types are told from, so it is not read; 2 later records have one, such as "0.25"; put some of them first to read it',
    ]);
  });

  it('codes in a column of numbers are counted, and padded amounts are none', async () => {
    const rows = [...lines(10_000, (i) => `${99_000 - i},${i}.5`), '00516,1', '00501,07.5', '0,0.5'];
    const { columns, before, after } = await opened(`zip,x\n${rows.join('\n')}\n`);
    expect(columns.map(({ type }) => type)).toEqual(['number', 'number']);
    expect(before).toEqual([]);
    expect(after).toEqual([
      'column zip: 2 of its numbers begin with zeros, such as "00516", which is read as 516; if they are codes, put one of them among the first 10000 records: a column of codes is text',
    ]);
  });
});
