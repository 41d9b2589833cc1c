import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { refuseOverwrite, refuseOverwriteFolder } from './refuse-overwrite.js';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-overwrite-'));
  await mkdir(at('data'));
  await writeFile(at('data', 'proteins.csv'), 'sequence\nMKV\n');
  await writeFile(at('data', 'older.csv'), 'row\n0\n');
  await symlink(at('data'), at('same'));
  await symlink(at('data', 'proteins.csv'), at('soft.csv'));
  await link(at('data', 'proteins.csv'), at('hard.csv'));
  await symlink(at('nowhere.csv'), at('broken.csv'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('refuseOverwrite', () => {
  it.each([
    ['its own name', ['data', 'proteins.csv']],
    ['a longer name', ['data', '..', 'data', 'proteins.csv']],
    ['a linked folder', ['same', 'proteins.csv']],
    ['a symbolic link', ['soft.csv']],
    ['a hard link', ['hard.csv']],
  ])('refuses the input by %s', async (_, names) => {
    const refused = refuseOverwrite(
      [at('data', 'older.csv'), at('data', 'proteins.csv')],
      `${folder}/${names.join('/')}`,
    );
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(/is a file that is read.*; name another output/);
  });

  it('refuses folders, devices and pipes, also by a link', async () => {
    await expect(refuseOverwrite([], at('data'))).rejects.toThrow(/this is a folder; add a file name/);
    await expect(refuseOverwrite([], '/dev/null')).rejects.toThrow(/this is a device or a pipe/);
    await symlink('/dev/null', at('null.csv'));
    await expect(refuseOverwrite([], at('null.csv'))).rejects.toThrow(/this is a device or a pipe/);
    execFileSync('mkfifo', [at('pipe.csv')]);
    await expect(refuseOverwrite([], at('pipe.csv'))).rejects.toThrow(/this is a device or a pipe/);
  });

  it('refuses an output whose temporary name the input has', async () => {
    const input = at('half.csv.partial');
    await writeFile(input, 'sequence\n');
    await expect(refuseOverwrite([input], at('half.csv'))).rejects.toThrow(/until it is whole; name another/);
  });

  it('lets other files be written, new ones and older ones', async () => {
    for (const name of ['new.csv', 'broken.csv', join('data', 'older.csv'), join('data', 'new.csv')])
      await refuseOverwrite([at('data', 'proteins.csv')], at(name));
  });
});

describe('refuseOverwriteFolder', () => {
  it('refuses a folder that is or holds an input', async () => {
    const input = at('data', 'proteins.csv');
    for (const out of [at('data'), at('same'), folder])
      await expect(refuseOverwriteFolder([input], out)).rejects.toThrow(/name another folder with --out/);
  });

  it('lets a folder beside the data be written, or in its folder', async () => {
    await refuseOverwriteFolder([at('data', 'proteins.csv')], at('data', 'run'));
    await refuseOverwriteFolder([at('data', 'proteins.csv')], at('run2'));
  });
});
