import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InputError, LacunaError } from '../errors.js';
import type { Results } from '../report/results.js';
import { report } from './report.js';

const results = (test: number): Results => ({
  suite: 'short',
  title: 'One seed',
  tasks: [
    {
      name: 'a',
      title: 'A',
      metric: 'rmse',
      higherIsBetter: false,
      split: 'by hand',
      source: 'this test',
      records: { train: 8, valid: 1, test: 1 },
    },
  ],
  methods: [{ name: 'linear', description: 'a line' }],
  pretraining: [],
  cells: [
    {
      task: 'a',
      method: 'linear',
      seed: 0,
      metric: 'rmse',
      valid: test,
      test,
      replicates: [],
      chosen: {},
      seconds: 1,
      seconds_choosing: 0,
      key: 'k',
    },
  ],
  machine: 'none',
  versions: {},
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-report-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('writes what changed, and a check fails where something would', async () => {
  const options = { results: join(folder, 'results'), out: join(folder, 'docs', 'page.md') };
  const figure = join(folder, 'docs', 'page', 'short-comparison.svg');
  await mkdir(options.results);
  const write = (value: number) =>
    writeFile(join(options.results, 'short.json'), JSON.stringify(results(value)));
  await write(1.5);
  await expect(report({ ...options, check: true })).rejects.toThrow(
    /page\.md, .*short-comparison\.svg: not what/,
  );
  expect(await report(options)).toEqual({
    out: options.out,
    suites: ['short'],
    written: [options.out, figure],
    unused: [],
  });
  expect(await readFile(figure, 'utf8')).toContain('<svg');
  expect((await report({ ...options, check: true })).written).toEqual([]);
  expect((await report(options)).written).toEqual([]);

  await write(2.5);
  const failed = await report({ ...options, check: true }).catch((error: LacunaError) => error);
  expect(failed).toBeInstanceOf(LacunaError);
  expect((failed as LacunaError).exitCode).toBe(1);
  expect(await readFile(options.out, 'utf8')).toContain('1.500');
  await report(options);
  expect(await readFile(options.out, 'utf8')).toContain('2.500');
});

it('refuses a folder that is not there, has no results or a file that is none', async () => {
  const out = join(folder, 'page.md');
  const refused = async (results: string, message: RegExp) => {
    const made = report({ results, out });
    await expect(made).rejects.toThrow(InputError);
    await expect(made).rejects.toThrow(message);
  };
  await refused(join(folder, 'nowhere'), /there is no such folder/);
  const empty = join(folder, 'empty');
  await mkdir(empty);
  await refused(empty, /expected result files \(SUITE\.json\), found none; lacuna bench/);
  await writeFile(join(empty, 'a.json'), '{"suite": "a"}');
  await refused(empty, /a\.json: is not what bench writes: title/);
});

it('never writes its page over a result file', async () => {
  const path = join(folder, 'own', 'short.json');
  await mkdir(join(folder, 'own'));
  await writeFile(path, JSON.stringify(results(1)));
  await expect(report({ results: join(folder, 'own'), out: path })).rejects.toThrow(/is a file that is read/);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(results(1));
});
