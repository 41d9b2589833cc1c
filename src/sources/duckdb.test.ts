import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqlTarget, withQuery } from './duckdb.js';
import { openSource } from './open-source.js';

let folder: string;
let before: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-names-'));
  before = process.cwd();
  process.chdir(folder);
  // What the names would mean, were they more than names.
  await writeFile('a1xx.csv', 'animal,legs\nspider,8\n');
});
afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

describe('a file is opened by its literal name', () => {
  it.each([
    'a[1]*?.csv',
    '~/x.csv',
    'label=cat/x.csv',
    'legs=9/animal=dog/x.csv',
    'http:/localhost/x.csv',
    's3:x.csv',
    "it's.csv",
    'back\\slash.csv',
    '{a,b}.csv',
  ])('%s', async (path) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'animal,legs\ncat,4\nbird,2\n');
    const parquet = `${path}.parquet`;
    await withQuery((query) =>
      query(`COPY (SELECT 'cat' AS animal, 4 AS legs) TO ${sqlTarget(parquet)} (FORMAT parquet)`),
    );
    for (const [file, records] of [
      [path, 2],
      [parquet, 1],
    ] as const) {
      const source = await openSource(file);
      expect(source.columns.map(({ name }) => name)).toEqual(['animal', 'legs']);
      let read = 0;
      for await (const { rows, columns } of source.read()) {
        read += rows.length;
        expect([columns.animal.values[0], columns.legs.values[0]]).toEqual(['cat', 4]);
      }
      expect(read).toBe(records);
    }
  });
});
