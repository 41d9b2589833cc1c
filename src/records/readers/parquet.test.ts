/** Parquet as bytes against the reader through the database, on files of every kind of column and compression. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { diskFile } from '../../sources/disk-file.js';
import { withQuery } from '../../sources/duckdb.js';
import { openSource } from '../../sources/open-source.js';
import { openBytes } from '../open-bytes.js';
import type { DataSource } from '../record-batch.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-parquet-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SQL = `SELECT i::INTEGER AS i, CASE WHEN i % 7 = 1 THEN NULL ELSE i / 4 END AS x, (i / 3)::FLOAT AS f,
  i % 2 = 0 AS flag, (i / 10)::DECIMAL(6, 2) AS money, 'c' AS constant, CASE WHEN i % 3 > 0 THEN 'é' || i END AS name,
  i::BIGINT AS big, 9007199254740993 + i AS huge, (i % 200)::UTINYINT AS small, '' AS nothing,
  DATE '2020-01-01' + i::INTEGER AS day, TIMESTAMP '2020-01-01 10:00:00' + INTERVAL (i) MINUTE AS moment,
  TIME '10:00:00' + INTERVAL (i) SECOND AS clock, [i, i / 2] AS list, [[i::FLOAT, 1], [2, 3]] AS steps
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
