import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { strToU8, zipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { diskFile } from './disk-file.js';
import { spooled } from './spool.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-spool-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function file(name: string, bytes: string | Uint8Array) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return diskFile(path);
}

describe('spooled content', () => {
  it('of a plain file on the disk is that file', async () => {
    const plain = await file('plain.csv', 'a\n1\n');
    expect(await spooled(plain)).toBe(plain);
  });

  it('of a compressed file, or of bytes that lie nowhere, is a plain copy under its own name', async () => {
    for (const given of [
      await file('a.csv.gz', gzipSync('a\n1\n')),
      await file('a.csv.zip', zipSync({ 'b.csv': strToU8('a\n1\n') })),
      new File(['a\n1\n'], 'page.csv'),
    ]) {
      const copy = await spooled(given);
      expect(copy.name).toBe(given.name);
      expect(copy.path).not.toBe(given.name);
      expect(readFileSync(copy.path, 'utf8')).toBe('a\n1\n');
      expect(await spooled(given)).toBe(copy);
    }
  });

  it('is changed on its way where that is asked for', async () => {
    const upper = async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield Buffer.from(Buffer.from(chunk).toString().toUpperCase());
    };
    const copy = await spooled(await file('b.csv.gz', gzipSync('a\nb\n')), upper);
    expect(readFileSync(copy.path, 'utf8')).toBe('A\nB\n');
  });

  it('leaves nothing behind where the content is damaged', async () => {
    const damaged = await file('c.csv.gz', gzipSync('a\n1\n').subarray(0, 20));
    await expect(spooled(damaged)).rejects.toThrow(InputError);
    const copy = await spooled(new File(['x'], 'x'));
    expect(existsSync(dirname(copy.path))).toBe(true);
  });
});
