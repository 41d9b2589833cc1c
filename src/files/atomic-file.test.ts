import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError, LacunaError } from '../errors.js';
import { partialName } from '../sources/partial-names.js';
import { writeFileAtomically } from './atomic-file.js';

const bytes = (text: string) => new TextEncoder().encode(text);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-atomic-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** As Node throws it: by its name, or, of a quota, which it has no name for, by its number. */
function systemError(code: string): Error {
  if (code !== 'EDQUOT') return Object.assign(new Error(`${code}: write`), { code });
  const errno = -constants.errno.EDQUOT;
  return Object.assign(new Error('write'), { errno, code: `Unknown system error ${errno}` });
}

/** An `open` whose files accept `capacity` bytes and then fail the way the system would. */
function failingOpen(code: string, capacity: number): typeof open {
  return async (...args) => {
    const file = await open(...args);
    const write = file.writeFile.bind(file);
    let written = 0;
    file.writeFile = async (data) => {
      written += (data as Uint8Array).length;
      if (written > capacity) throw systemError(code);
      return write(data);
    };
    return file;
  };
}

describe('writeFileAtomically', () => {
  it('writes the chunks in order, creates the folder and leaves nothing else', async () => {
    const path = join(folder, 'a', 'b', 'file.txt');
    await writeFileAtomically(path, [bytes('one '), bytes(''), bytes('two')]);
    expect(await readFile(path, 'utf8')).toBe('one two');
    await writeFileAtomically(path, [bytes('new')]);
    expect(await readdir(join(folder, 'a', 'b'))).toEqual(['file.txt']);
    expect(await readFile(path, 'utf8')).toBe('new');
  });

  it('replaces the first bytes at the end when asked', async () => {
    const path = join(folder, 'counted');
    let rows = 0;
    async function* chunks() {
      yield bytes('rows=?\n');
      for (; rows < 3; rows++) yield bytes('row\n');
    }
    await writeFileAtomically(path, chunks(), { header: () => bytes(`rows=${rows}`) });
    expect(await readFile(path, 'utf8')).toBe('rows=3\nrow\nrow\nrow\n');
  });

  it('removes what a killed process left of this file, and nothing of a living one or of another file', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    const of = (name: string, writer: number) =>
      basename(partialName(name)).replace(`-${process.pid}-`, `-${writer}-`);
    const left = of('x', pid);
    const kept = [of('x', process.ppid), of('y', pid), 'x.partial', 'x.12345678-1-12345678.partial'];
    for (const name of [left, ...kept])
      await writeFile(join(folder, name), 'half of an older, longer attempt');
    await writeFileAtomically(join(folder, 'x'), [bytes('whole')]);
    expect(await readdir(folder)).toEqual(['x', ...kept].sort());
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('whole');
  });

  it('writes one of two whole where both write at once', async () => {
    const path = join(folder, 'x');
    const texts = ['a', 'b'].map((letter) => letter.repeat(1e6));
    await Promise.all(texts.map((text) => writeFileAtomically(path, [bytes(text)])));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['x']);
  });

  it.runIf(existsSync('/proc/self'))('ends where a system makes no folder, as below /proc', async () => {
    await expect(writeFileAtomically('/proc/x/y/z', [bytes('x')])).rejects.toThrow(
      'could not write z: the system has no such folder and lets nobody make it',
    );
  });

  it('says so where links lead in a circle and where a name is too long', async () => {
    await symlink('b', join(folder, 'a'));
    await symlink('a', join(folder, 'b'));
    await expect(writeFileAtomically(join(folder, 'a', 'x'), [bytes('x')])).rejects.toThrow('in a circle');
    await expect(writeFileAtomically(join(folder, 'x'.repeat(300)), [bytes('x')])).rejects.toThrow(
      'longer than the file system allows',
    );
  });

  it.each(['ENOSPC', 'EDQUOT', 'EIO'])('keeps the old file and says what to do on %s', async (code) => {
    const path = join(folder, 'model');
    await writeFile(path, 'old');
    const write = writeFileAtomically(path, [new Uint8Array(900), new Uint8Array(600)], {
      openFile: failingOpen(code, 1000),
    });
    await expect(write).rejects.toThrow(LacunaError);
    await expect(write).rejects.toThrow(`${path}: could not write model (1,500 bytes so far): `);
    expect(await readdir(folder)).toEqual(['model']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('keeps the old file when the chunks themselves fail, and passes that error on', async () => {
    const path = join(folder, 'model');
    await writeFile(path, 'old');
    function* chunks() {
      yield bytes('new');
      throw new Error('no more rows');
    }
    await expect(writeFileAtomically(path, chunks())).rejects.toThrow('no more rows');
    expect(await readdir(folder)).toEqual(['model']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('refuses a folder and a device, follows a link', async () => {
    await expect(writeFileAtomically(folder, [bytes('x')])).rejects.toThrow(InputError);
    await expect(writeFileAtomically('/dev/null', [bytes('x')])).rejects.toThrow(InputError);
    await expect(writeFileAtomically('/dev/null/x', [bytes('x')])).rejects.toThrow(
      'part of the path is a file',
    );
    await writeFile(join(folder, 'real'), 'old');
    await symlink(join(folder, 'real'), join(folder, 'link'));
    await writeFileAtomically(join(folder, 'link'), [bytes('new')]);
    expect(await readFile(join(folder, 'real'), 'utf8')).toBe('new');
  });

  it.skipIf(process.getuid?.() === 0)('names a folder that may not be written to (root may)', async () => {
    await chmod(folder, 0o500);
    await expect(writeFileAtomically(join(folder, 'x'), [bytes('x')])).rejects.toThrow('permission denied');
    await chmod(folder, 0o700);
  });

  it('survives a disk that is really full', async ({ skip }) => {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      skip('mounting a small file system is not permitted here');
    }
    try {
      const path = join(folder, 'model');
      await writeFileAtomically(path, [new Uint8Array(10_000).fill(1)]);
      const write = writeFileAtomically(path, Array(10).fill(new Uint8Array(10_000).fill(2)));
      await expect(write).rejects.toThrow('the disk is full; free some space or choose another folder');
      expect(await readdir(folder)).toEqual(['model']);
      expect(await readFile(path)).toEqual(Buffer.alloc(10_000, 1));
    } finally {
      execFileSync('umount', [folder]);
    }
  });
});
