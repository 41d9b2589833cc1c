import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EncodedRecords } from '../models/encoded-records.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { shardPath, takeShard, writeShardManifest } from './shard.js';

const { block } = (await realRecords()).discrete;
const records: EncodedRecords = {
  batch: { columns: {}, rows: block.rows } as never,
  block,
  places: block.rows.map((row) => row + 100),
  texts: Array.from(block.rows, String),
};

describe('the parts of records', () => {
  it.each([1, 2, 3, block.count, block.count + 3])('are all of them in order, of %i', (of) => {
    const parts = Array.from({ length: of }, (_, index) => takeShard(records, { index, of }));
    expect(parts.flatMap(({ block }) => [...block.rows])).toEqual([...block.rows]);
    expect(parts.flatMap(({ places }) => [...places])).toEqual([...records.places]);
    expect(parts.flatMap(({ texts }) => texts)).toEqual(records.texts);
    expect(parts.flatMap(({ block }) => [...(block.ids ?? [])])).toEqual([...(block.ids ?? [])]);
    const counts = parts.map(({ block }) => block.count);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(2);
  });

  it('are the whole where there is none', () => {
    expect(takeShard(records, undefined)).toBe(records);
    expect(shardPath('a/e.parquet', undefined)).toBe('a/e.parquet');
  });

  it('have files of their own, with a manifest beside', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lacuna-shard-'));
    const shard = { index: 1, of: 4 };
    expect(shardPath('a/e.parquet', shard)).toBe(join('a', 'e.1-of-4.parquet'));
    const written = { file: join(folder, 'e.1-of-4.csv'), rows: 7, rejected: 1, unknown: 0 };
    await writeShardManifest(join(folder, 'e.csv'), shard, written);
    expect(JSON.parse(await readFile(join(folder, 'e.1-of-4.json'), 'utf8'))).toEqual({
      file: 'e.1-of-4.csv',
      part: 1,
      parts: 4,
      rows: 7,
      rejected: 1,
      unknown: 0,
    });
    await rm(folder, { recursive: true });
  });

  it.each([
    [4, 4],
    [-1, 2],
    [0.5, 2],
    [0, 0],
  ])('are refused where there is no such part: %d of %d', (index, of) => {
    expect(() => shardPath('e.csv', { index, of })).toThrow('shard: expected i/n with i from 0 to n - 1');
  });
});
