import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { strToU8, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { openBytes } from '../open-bytes.js';
import { byteChunks, contentSize } from './bytes.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-compression-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Lines `{"i":0}`, `{"i":1}`, …, compressed by DuckDB. */
let zstd: Uint8Array;
const RECORDS = 200_000;
const lines = Array.from({ length: RECORDS }, (_, i) => `{"i":${i}}`).join('\n');

beforeAll(async () => {
  const path = join(folder, 'a.zst');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(
    `COPY (SELECT i FROM range(${RECORDS}) t(i)) TO '${path}' (FORMAT json, COMPRESSION zstd)`,
  );
  zstd = readFileSync(path);
});

const asFile = (bytes: Uint8Array | string, name: string) =>
  new File([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], name);

const zip = (files: Record<string, string>) =>
  zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));

async function sumOf(file: File) {
  let sum = 0;
  const source = await openBytes(file);
  for await (const { columns } of source.read())
    sum += (columns.i.values as Float64Array).reduce((total, value) => total + value, 0);
  return { sum, format: source.format };
}

const all = { sum: (RECORDS * (RECORDS - 1)) / 2, format: 'jsonl' };

describe('a compressed file', () => {
  it('is read through gzip, zstd and an archive of one file, by its content', async () => {
    for (const name of ['a.jsonl.zst', 'a.jsonl', 'A.JSONL.ZST'])
      expect(await sumOf(asFile(zstd, name))).toEqual(all);
    expect(await sumOf(asFile(gzipSync(lines), 'a.jsonl.gz'))).toEqual(all);
    expect(await sumOf(asFile(zip({ 'b.txt': lines }), 'a.jsonl.zip'))).toEqual(all);
  });

  it('is of the format that the name of the file in an archive tells, where its own tells none', async () => {
    expect(await sumOf(asFile(zip({ 'deep/b.jsonl': lines }), 'a.zip'))).toEqual(all);
    expect((await openBytes(asFile(zip({ 'b.fasta': '>a\nMK\n' }), 'download.zip'))).format).toBe('fasta');
  });

  it('says how long its content is', async () => {
    let expected = 0;
    for await (const chunk of byteChunks(asFile(zstd, 'a'))) expected += chunk.length;
    expect(await contentSize(asFile(zstd, 'a'))).toBe(expected);
    expect(await contentSize(asFile('1234', 'a'))).toBe(4);
    expect(await contentSize(asFile(zip({ a: lines }), 'a'))).toBe(lines.length);
  });

  it('is refused where it is cut off, or not compressed as its name says', async () => {
    for (const part of [0.5, 0.99]) {
      const cut = asFile(zstd.subarray(0, Math.floor(zstd.length * part)), 'a.jsonl.zst');
      await expect(openBytes(cut)).rejects.toThrow('a.jsonl.zst: the zstd stream is truncated or corrupt');
    }
    await expect(openBytes(asFile(lines, 'a.jsonl.zst'))).rejects.toThrow('named .zst but not zstd');
    await expect(openBytes(asFile(lines, 'a.jsonl.zip'))).rejects.toThrow('named .zip but not a zip archive');
  });

  it('is refused with a list where an archive holds several files or none', async () => {
    const several = openBytes(asFile(zip({ 'a.csv': 'x\n1', 'b.csv': 'x\n2' }), 'a.zip'));
    await expect(several).rejects.toThrow(InputError);
    await expect(several).rejects.toThrow('a.zip: a zip archive of several files (a.csv, b.csv)');
    await expect(openBytes(asFile(zip({}), 'a.zip'))).rejects.toThrow('a.zip: a zip archive without files');
  });
});
