/** Parquet as bytes against the reader through the database, on files of every kind of column and compression. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { diskFile } from '../../sources/disk-file.js';
import { withQuery } from '../../sources/duckdb.js';
import { openSource } from '../../sources/open-source.js';
import { type OpenOptions, openBytes } from '../open-bytes.js';
import type { BadRecord, DataSource } from '../record-batch.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-parquet-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SQL = `SELECT i::INTEGER AS i, CASE WHEN i % 7 = 1 THEN NULL ELSE i / 4 END AS x, (i / 3)::FLOAT AS f,
  i % 2 = 0 AS flag, (i / 10)::DECIMAL(6, 2) AS money, 'c' AS constant, CASE WHEN i % 3 > 0 THEN 'é' || i END AS name,
  i::BIGINT AS big, 9007199254740993 + i AS huge, i::DECIMAL(12, 0) AS few, (-1234567890123456789 - i)::DECIMAL(19, 0) AS id,
  CASE WHEN i % 4 > 0 THEN 9007199254740993 + i END::DECIMAL(17, 0) AS account, (i % 200)::UTINYINT AS small, '' AS nothing,
  DATE '2020-01-01' + i::INTEGER AS day, TIMESTAMP '2020-01-01 10:00:00' + INTERVAL (i) MINUTE AS moment,
  TIME '10:00:00' + INTERVAL (i) SECOND AS clock, [i, i / 2] AS list, [[i::FLOAT, 1], [2, 3]] AS steps,
  CASE WHEN i % 5 > 0 THEN [i, NULL, -i] END AS list_of_big, [[i / 4]]::DECIMAL(8, 2)[][] AS list_of_decimals
  FROM range(5000) t(i)`;

async function contentOf(source: DataSource, verbatim?: readonly string[]) {
  const columns: Record<string, unknown[]> = {};
  const texts: Record<string, unknown[]> = {};
  const rows: number[] = [];
  for await (const batch of source.read({ verbatim })) {
    for (const row of batch.rows) rows.push(row);
    for (const [name, column] of Object.entries(batch.columns)) {
      columns[name] ??= [];
      for (const value of column.values) columns[name].push(value);
    }
    for (const [name, cells] of Object.entries(batch.texts ?? {}))
      texts[name] = [...(texts[name] ?? []), ...cells];
  }
  return { rows, columns, texts };
}

it.each(['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4_raw'])('is read alike, %s', async (codec) => {
  const path = join(folder, `${codec}.parquet`);
  await withQuery((query) =>
    query(`COPY (${SQL}) TO '${path}' (FORMAT parquet, CODEC '${codec}', ROW_GROUP_SIZE 2048)`),
  );
  const [stored, bytes] = [await openSource(path), await openBytes(await diskFile(path))];
  expect(bytes.columns).toEqual(stored.columns);
  const written = stored.columns.map(({ name }) => name).filter((name) => !/list|steps/.test(name));
  const [found, expected] = [await contentOf(bytes, written), await contentOf(stored, written)];
  expect(found.rows).toEqual(expected.rows);
  for (const part of ['columns', 'texts'] as const) {
    expect(Object.keys(found[part])).toEqual(Object.keys(expected[part]));
    for (const [name, cells] of Object.entries(expected[part])) {
      // One cell, not five thousand, is what a failure shows.
      const first = cells.findIndex((cell, i) => !Object.is(cell, found[part][name][i]));
      expect([part, name, first, found[part][name][first]]).toEqual([part, name, first, cells[first]]);
      expect(first).toBe(-1);
    }
  }
});

it('has the finite numbers of lists of large integers and of decimals', async () => {
  const path = join(folder, 'lists.parquet');
  await withQuery((query) =>
    query(`COPY (SELECT [i, NULL, i * i]::BIGINT[] AS a, [i + 0.25]::DECIMAL(10, 2)[] AS b, ['inf'::DOUBLE] AS c
      FROM range(7, 9) t(i))
      TO '${path}' (FORMAT parquet)`),
  );
  for (const source of [await openSource(path), await openBytes(await diskFile(path))])
    expect((await contentOf(source)).columns).toEqual({
      a: [7, Number.NaN, 49, 8, Number.NaN, 64],
      b: [7.25, 8.25],
      c: [Number.NaN, Number.NaN],
    });
});

it.each([
  ['lists of another width', '[[i, 1, 1], [2, 2, 2]]', 'lists of 3: "[[3,1,1],[2,2,2]]"'],
  ['uneven lists', '[[i, 1], [2]]', '"[[3,1],[2]]"'],
  ['a list of numbers', '[[i]]', '"[[3]]"'],
])('tells %s among lists of two numbers as a bad record', async (_, other, got) => {
  const path = join(folder, 'widths.parquet');
  await withQuery((query) =>
    query(`COPY (SELECT i AS x, CASE i WHEN 1 THEN NULL WHEN 3 THEN ${other} ELSE [[i, 1], [2, 2]] END::DOUBLE[][] AS track
      FROM range(5) t(i)) TO '${path}' (FORMAT parquet)`),
  );
  for (const open of [
    openSource,
    async (given: string, options: OpenOptions) => openBytes(await diskFile(given), options),
  ]) {
    const bad: BadRecord[] = [];
    const source = await open(path, { onBadRecord: 'skip', report: (found) => bad.push(found) });
    const { rows, columns } = await contentOf(source);
    expect(rows).toEqual([0, 1, 2, 4]);
    expect(columns.track).toEqual([0, 1, 2, 2, 2, 1, 2, 2, 4, 1, 2, 2]);
    const message = `expected a list of lists of 2 numbers as in the other records, got ${got}`;
    expect(bad).toEqual([{ path, row: 3, column: 'track', message }]);
  }
});

it('keeps the digits of decimals without a fraction that no number holds', async () => {
  const path = join(folder, 'decimals.parquet');
  await withQuery((query) =>
    query(`COPY (SELECT 9007199254740993::DECIMAL(18, 0) AS a, -12345678901234567890::DECIMAL(38, 0) AS b,
      12::DECIMAL(38, 0) AS c) TO '${path}' (FORMAT parquet)`),
  );
  for (const source of [await openSource(path), await openBytes(await diskFile(path))])
    expect((await contentOf(source)).columns).toEqual({
      a: ['9007199254740993'],
      b: ['-12345678901234567890'],
      c: [12],
    });
});

it('leaves out structures and bytes, and says so', async () => {
  const path = join(folder, 'nested.parquet');
  await withQuery((query) =>
    query(`COPY (SELECT 1 AS a, {'b': 2} AS s, 'x'::BLOB AS raw, MAP {'k': 1} AS m) TO '${path}'`),
  );
  const { columns, leftOut } = await openBytes(await diskFile(path));
  expect(columns.map(({ name }) => name)).toEqual(['a']);
  expect(leftOut?.map(({ name }) => name)).toEqual(['s', 'raw', 'm']);
});

/** Two columns called a, 1 and 2, written by pyarrow 26. */
const twice =
  'UEFSMRUAFRQVFCwVAhUAFQYVBhwAAAACAAAAAgEBAAAAFQAVFBUULBUCFQAVBhUGHAAAAAIAAAACAQIAAAAVBBk8NQAYBnNjaGVtYRUEABUCJQIYAWEAFQIlAhgBYQAWAhkcGSwmABwVAhklBgAZGAFhFQAWAhY6FjomCEkcFQAVABUCADwpBhkmAAIAAAAmABwVAhklBgAZGAFhFQAWAhY6FjomQkkcFQAVABUCADwpBhkmAAIAAAAWdBYCJggWdAAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGSwcAAAcAAAArwAAAFBBUjE=';

it('refuses columns of one name, which the database numbers', async () => {
  const path = join(folder, 'twice.parquet');
  writeFileSync(path, Buffer.from(twice, 'base64'));
  await expect(openBytes(await diskFile(path))).rejects.toThrow('two columns are called "a"; rename one');
  const { columns } = await openSource(path);
  expect(columns.map(({ name }) => name)).toEqual(['a', 'a_1']);
});
