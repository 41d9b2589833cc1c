import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LacunaError } from '../errors.js';
import { VECTOR_ROWS, writeStagedParquet } from './staged-parquet.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-parquet-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const columns = [{ name: 'a', type: 'DOUBLE' as const }];
const write = (path: string, chunks: number) =>
  writeStagedParquet(path, columns, async (append) => {
    for (let i = 0; i < chunks; i++)
      append(VECTOR_ROWS, (chunk) =>
        chunk.setColumnValues(
          0,
          Array.from({ length: VECTOR_ROWS }, (_, row) => Math.sin(i + row)),
        ),
      );
  });

describe('writeStagedParquet', () => {
  it('writes two files at once, and leaves nothing else', async () => {
    await Promise.all(['x.parquet', 'y.parquet'].map((name) => write(join(folder, name), 2)));
    expect((await readdir(folder)).sort()).toEqual(['x.parquet', 'y.parquet']);
    expect((await readFile(join(folder, 'x.parquet'))).subarray(0, 4).toString()).toBe('PAR1');
  });

  it('passes on what its rows throw, and keeps the old file', async () => {
    const path = join(folder, 'x.parquet');
    await writeFile(path, 'old');
    const failing = writeStagedParquet(path, columns, () => Promise.reject(new Error('no more rows')));
    await expect(failing).rejects.toThrow('no more rows');
    expect(await readdir(folder)).toEqual(['x.parquet']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it.runIf(existsSync('/proc/self'))('says in one line where nothing can be written', async () => {
    for (const path of ['/proc/x.parquet', '/proc/x/y.parquet'])
      await expect(write(path, 1)).rejects.toThrow('the system has no such folder and lets nobody make it');
  });

  it('survives a disk that is full, at whatever write', async ({ skip }) => {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      skip('mounting a small file system is not permitted here');
    }
    try {
      const path = join(folder, 'x.parquet');
      await writeFile(path, 'old');
      for (const full of [0, 300, 600, 700, 800, 900, 1000].map((kib) => kib << 10)) {
        await writeFile(join(folder, 'ballast'), Buffer.alloc(full));
        const error = await write(path, 60).catch((error) => error);
        expect(error).toBeInstanceOf(LacunaError);
        expect(error.message).toContain('the disk is full; free some space or choose another folder');
        expect(await readdir(folder)).toEqual(['ballast', 'x.parquet']);
        expect(await readFile(path, 'utf8')).toBe('old');
        await rm(join(folder, 'ballast'));
      }
      await write(path, 1);
    } finally {
      execFileSync('umount', [folder]);
    }
  });
});
