import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { processIdentity } from '../sources/system-processes.js';
import { holdFolder, LOCK } from './hold-folder.js';

let folder: string;
let lock: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-hold-'));
  lock = join(folder, LOCK);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const living = { pid: process.ppid, process: processIdentity(process.ppid), host: hostname(), start: 'then' };
const leave = (owner: object | string, minutesAgo = 0) =>
  writeFile(lock, typeof owner === 'string' ? owner : JSON.stringify(owner)).then(() => {
    const time = new Date(Date.now() - minutesAgo * 60_000);
    return utimes(lock, time, time);
  });
const gone = () => spawnSync(process.execPath, ['--version']).pid;

describe('a folder that is held', () => {
  it('says whose it is, is refused to everybody else, and is free afterwards', async () => {
    const result = await holdFolder(folder, async () => {
      expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() });
      await expect(holdFolder(folder, async () => {})).rejects.toThrow(
        `${folder}: process ${process.pid} on ${hostname()} writes into this folder since `,
      );
      expect(existsSync(lock)).toBe(true);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await holdFolder(folder, async () => 'again')).toBe('again');
    await expect(holdFolder(folder, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
    expect(await readdir(folder)).toEqual([]);
  });

  it('is made, and removed again with what was made above it where nothing is left in it', async () => {
    const [empty, full] = [join(folder, 'a', 'b'), join(folder, 'c', 'd')];
    await holdFolder(empty, async () => {});
    await holdFolder(full, () => writeFile(join(full, 'x'), ''));
    expect(await readdir(folder)).toEqual(['c']);
    expect(await readdir(full)).toEqual(['x']);
  });

  it('is taken over from a process of this machine that is gone, also where another has its number', async () => {
    await leave({ ...living, pid: gone() });
    expect(await holdFolder(folder, async () => 'taken over')).toBe('taken over');
    if (processIdentity(process.pid) === 'alive') return;
    await leave({ ...living, process: 'started at tick 1' });
    expect(await holdFolder(folder, async () => 'taken over')).toBe('taken over');
  });

  it.each([
    ['a living process of this machine, however long ago it was touched', living, 60, ''],
    ['another machine', { ...living, host: 'elsewhere' }, 9, `; if that process is gone, remove `],
    ['someone who has not yet said who', '', 9, `; if that process is gone, remove `],
  ])('stays that of %s', async (_, owner, minutes, more) => {
    await leave(owner, minutes);
    const before = await readFile(lock, 'utf8');
    const held = holdFolder(folder, async () => {});
    await expect(held).rejects.toThrow(InputError);
    await expect(held).rejects.toThrow(`wait for its end, or name another folder${more}`);
    expect(await readFile(lock, 'utf8')).toBe(before);
  });

  it.each([[{ ...living, host: 'elsewhere' }], ['']])(
    'is taken over after ten minutes from %o',
    async (owner) => {
      await leave(owner, 11);
      expect(await holdFolder(folder, async () => 'taken over')).toBe('taken over');
    },
  );

  it('has one owner at a time, however many want it', async () => {
    let [inside, most, done] = [0, 0, 0];
    for (let round = 0; round < 20; round++) {
      await leave({ ...living, pid: 2 ** 30 });
      const tries = Array.from({ length: 8 }, () =>
        holdFolder(folder, async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setTimeout(resolve, 1));
          inside--;
          done++;
        }),
      );
      await Promise.allSettled(tries);
    }
    expect(most).toBe(1);
    expect(done).toBeGreaterThanOrEqual(20);
  });

  it('cannot be where a file or a folder is in the way', async () => {
    await writeFile(join(folder, 'file'), '');
    for (const path of [join(folder, 'file'), join(folder, 'file', 'below')])
      await expect(holdFolder(path, async () => {})).rejects.toThrow(`${path}: expected a folder to write`);
    await mkdir(lock);
    await expect(holdFolder(folder, async () => {})).rejects.toThrow('expected no such folder');
  });
});
