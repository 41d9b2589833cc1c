import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embed, pretrain } from '../dist/index.js';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const plugin = fileURLToPath(new URL('plugins/hidden-mean.mjs', import.meta.url));

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-plugins-'));
  data = join(folder, 'data.csv');
  const rows = Array.from({ length: 60 }, (_, i) => `${Math.cos(i)},${Math.sin(i)},${i % 3}`);
  await writeFile(data, `x,y,z\n${rows.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('an objective of a plug-in', () => {
  const out = () => join(folder, 'run');

  it('has its options in the help, beside those of all', async () => {
    const { stdout } = await run(process.execPath, [main, 'pretrain', '--help', '--plugin', plugin]);
    expect(stdout).toMatch(/--mean-momentum <x>\s+share of the target network/);
    expect(stdout).toMatch(/g-simclr,\s+hidden-mean\)/);
    const without = await run(process.execPath, [main, 'pretrain', '--help']);
    expect(without.stdout).not.toContain('hidden-mean');
  });

  it('is trained in the worker, goes on where it stopped, and is named in the configuration of its run', async () => {
    const config = {
      plugins: [plugin],
      encoder: { width: 16, heads: 2, layers: 1, latents: 4 },
      objective: { kind: 'hidden-mean', mean_momentum: 0.5 } as never,
      training: { steps: 6, batch_size: 8, threads: 1, valid_steps: 2 },
    };
    const summary = await pretrain({ data, out: out(), config });
    expect(summary.step).toBe(6);
    expect(Number.isFinite(summary.val_loss)).toBe(true);
    const stored = JSON.parse(await readFile(join(out(), 'config.json'), 'utf8'));
    expect(stored.plugins).toEqual([plugin]);
    expect(stored.objective).toEqual({ kind: 'hidden-mean', masking_ratio: 0.3, mean_momentum: 0.5 });
  });

  it('is asked for again by what opens the run, which loads no code by itself', async () => {
    const options = { run: out(), data, out: join(folder, 'embedded.npy') };
    await expect(embed(options)).rejects.toThrow(`the run was made with --plugin ${plugin}`);
    expect(await embed({ ...options, plugins: [plugin] })).toMatchObject({ rows: 60, dimension: 16 });
  });

  it('is loaded by every command, those that pass all of their options on, too', async () => {
    const asked = ['--plugin', plugin];
    const wide = join(folder, 'wide.csv');
    const rows = Array.from({ length: 60 }, (_, i) => [1, 2, 3].map((k) => Math.cos(k * i)).join());
    await writeFile(wide, ['a,b,c,z', ...rows.map((row, i) => `${row},${i % 3}`), ''].join('\n'));
    const bench = [
      'bench',
      wide,
      '--target',
      'z',
      '--out',
      join(folder, 'bench'),
      '--only',
      'method=constant',
    ];
    const { stdout } = await run(process.execPath, [main, ...bench, ...asked, '--json']);
    expect(stdout).toContain('constant');
    const none = join(folder, 'none');
    const failure = await run(process.execPath, [main, 'serve', none, ...asked]).catch((error) => error);
    expect(failure.stderr).toMatch(/^lacuna: .*none/);
    expect(failure.stderr).not.toContain('unknown option');
  });

  it('that is none is refused in a line', async () => {
    const broken = join(folder, 'broken.mjs');
    await writeFile(broken, 'export default { objectives: { mine: { build() {} } } };');
    const failure = await run(process.execPath, [main, 'inspect', data, '--plugin', broken]).catch(
      (error) => error,
    );
    expect(failure.code).toBe(2);
    expect(failure.stderr).toBe(
      `lacuna: ${broken}: objectives.mine: expected a function "defaults", which one of objectives has\n`,
    );
    const absent = await run(process.execPath, [main, 'inspect', data, '--plugin', 'none.mjs']).catch(
      (error) => error,
    );
    expect(absent.code).toBe(2);
    expect(absent.stderr).toMatch(/^lacuna: .*none\.mjs: could not load this plug-in: .*\n$/);
  });
});

describe('docs/plugins.md', () => {
  it('has modules that can be loaded as they stand', async () => {
    const text = await readFile(fileURLToPath(new URL('../docs/plugins.md', import.meta.url)), 'utf8');
    const modules = [...text.matchAll(/```js\n([\s\S]*?)```/g)]
      .map(([, code]) => code)
      .filter((code) => code.includes('export default'));
    expect(modules.length).toBeGreaterThan(2);
    // Beside the tests, where the name `lacuna` is this package.
    const beside = await mkdtemp(fileURLToPath(new URL('plugins/example-', import.meta.url)));
    try {
      for (const [i, code] of modules.entries()) {
        const path = join(beside, `${i}.mjs`);
        await writeFile(path, code);
        const loaded = await run(process.execPath, [main, 'inspect', data, '--plugin', path]).catch(
          (error) => error,
        );
        expect(loaded.stderr ?? '').not.toMatch(/plug-in|does not provide|SyntaxError|Cannot find/);
      }
    } finally {
      await rm(beside, { recursive: true });
    }
  });
});
