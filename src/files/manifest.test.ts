import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../errors.js';
import { damageOf, list, MANIFEST, readListed, readManifest, unlist, writeListed } from './manifest.js';

/** What is renamed to its own name, in order; after so many no more, as in a process that is killed. */
const renames = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const rename: typeof real.rename = async (from, to) => {
    if (renames.left-- <= 0) throw new Error('killed');
    return real.rename(from, to);
  };
  return { ...real, rename, default: { ...real, rename } };
});

const bytes = (text: string) => new TextEncoder().encode(text);
/** SHA-256 of `abc`: FIPS 180-4, example 1. */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

let folder: string;
beforeEach(async () => {
  renames.left = Number.POSITIVE_INFINITY;
  folder = await mkdtemp(join(tmpdir(), 'lacuna-manifest-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the manifest of a folder', () => {
  it('has a line for each file, as sha256sum reads it', async () => {
    await writeListed(folder, 'b.json', [bytes('{'), bytes('}')]);
    await writeListed(folder, 'a', [bytes('a'), bytes('bc')]);
    expect(await readFile(join(folder, MANIFEST), 'utf8')).toContain(`${ABC}  a\n`);
    expect((await readManifest(folder))?.get('a')).toEqual([ABC]);
    if (process.platform !== 'linux') return;
    const told = execFileSync('sha256sum', ['--check', '--strict', MANIFEST], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(told.split('\n').slice(0, 2).sort()).toEqual(['a: OK', 'b.json: OK']);
  });

  it('refuses a file of which a byte, or the end, is another', async () => {
    await writeListed(folder, 'a', [bytes('abc')]);
    expect((await readListed(folder, 'a')).toString()).toBe('abc');
    for (const other of ['abd', 'ab', '', 'abcc']) {
      await writeFile(join(folder, 'a'), other);
      const read = readListed(folder, 'a');
      await expect(read).rejects.toThrow(InputError);
      await expect(read).rejects.toThrow(
        `${join(folder, 'a')}: corrupted: expected SHA-256 ${ABC.slice(0, 16)}…, its ${other.length} bytes give `,
      );
    }
    expect(damageOf(undefined, 'a', bytes('abd'))).toBe(undefined);
  });

  it('says nothing of a file that it does not list, and a folder may have none', async () => {
    await writeFile(join(folder, 'x'), 'x');
    expect((await readListed(folder, 'x')).toString()).toBe('x');
    await writeListed(folder, 'a', [bytes('abc')]);
    expect((await readListed(folder, 'x')).toString()).toBe('x');
    await list(folder, 'x');
    await writeFile(join(folder, 'x'), 'y');
    await expect(readListed(folder, 'x')).rejects.toThrow('corrupted');
    await unlist(folder, 'x');
    expect((await readListed(folder, 'x')).toString()).toBe('y');
    await expect(readListed(folder, 'none')).rejects.toThrow('ENOENT');
  });

  it('refuses a line that is none', async () => {
    await writeFile(join(folder, MANIFEST), `${ABC}  a\n${ABC.slice(1)}  b\n`);
    await expect(readListed(folder, 'a')).rejects.toThrow(
      `${MANIFEST}:2: expected a SHA-256 and the name of a file`,
    );
  });

  it('knows the file that is there, whenever the process that replaces it is killed', async () => {
    await writeListed(folder, 'a', [bytes('abc')]);
    for (let left = 0; left < 3; left++) {
      renames.left = left;
      const text = `after ${left}`;
      await expect(writeListed(folder, 'a', [bytes(text)])).rejects.toThrow('killed');
      renames.left = Number.POSITIVE_INFINITY;
      expect(['abc', text]).toContain((await readListed(folder, 'a')).toString());
      await writeListed(folder, 'a', [bytes('abc')]);
      expect((await readManifest(folder))?.get('a')).toEqual([ABC]);
    }
  });
});
