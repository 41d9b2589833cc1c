import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
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

describe('standard input', () => {
  it('is a file that can be read again and again, gone when the process ends', async () => {
    const script = `import { openSource } from './src/sources/open-source.js';
import { spooledInput } from './src/sources/spool.js';
const source = await openSource('-');
const ids = [];
for (let i = 0; i < 2; i++) for await (const { columns } of source.read()) ids.push(...columns.id.values);
const { path } = await spooledInput();
console.log(JSON.stringify({ path, ids, format: source.format, name: source.path }));`;
    const outfile = fileURLToPath(
      new URL('../../node_modules/.cache/lacuna/spool-test.mjs', import.meta.url),
    );
    await build({
      stdin: { contents: script, resolveDir: fileURLToPath(new URL('../..', import.meta.url)), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'silent',
      outfile,
    });
    try {
      const input = gzipSync('>a\nMK\n>b\nMMK\n');
      const { stdout } = spawnSync(process.execPath, [outfile], { input, encoding: 'utf8' });
      const told = JSON.parse(stdout);
      expect(told).toMatchObject({ ids: ['a', 'b', 'a', 'b'], format: 'fasta', name: '-' });
      expect(existsSync(dirname(told.path))).toBe(false);
    } finally {
      rmSync(outfile, { force: true });
    }
  });
});
