import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bench } from './bench.js';
import { suiteOfFile } from './file-suite.js';

/** Iris flowers (Fisher, 1936): every sixth, with its kind. */
const flowers = `5.1,3.5,1.4,0.2,setosa
5.4,3.9,1.7,0.4,setosa
4.8,3.4,1.6,0.2,setosa
5.7,4.4,1.5,0.4,setosa
5.1,3.8,1.5,0.3,setosa
5.2,3.4,1.4,0.2,setosa
7,3.2,4.7,1.4,versicolor
5.7,2.8,4.5,1.3,versicolor
5,2,3.5,1,versicolor
6.7,3.1,4.4,1.4,versicolor
5.9,3.2,4.8,1.8,versicolor
6.6,3,4.4,1.4,versicolor
6.3,3.3,6,2.5,virginica
7.6,3,6.6,2.1,virginica
6.5,3.2,5.1,2,virginica
6.5,3,5.5,1.8,virginica
6,2.2,5,1.5,virginica
6.7,3.3,5.7,2.1,virginica`.split('\n');

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-own-'));
  file = join(folder, 'my flowers.csv');
  // The length with a digit more each time, so that no two are the same record.
  const rows = Array.from({ length: 5 }, (_, time) => flowers.map((row) => row.replace(',', `${time},`)));
  await writeFile(file, `a,b,c,d,kind\n${rows.flat().join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true }));

it('makes a task of a file: metric, columns and parts follow from it, and the encoder sees no held-out record', async () => {
  const { name, tasks } = await suiteOfFile(file, ['kind']);
  const [{ methods, pretraining, ...task }] = tasks;
  expect([name, tasks.length]).toEqual(['my-flowers.csv-kind', 1]);
  expect(task).toMatchObject({ name: 'kind', task: 'multiclass', metric: 'accuracy', targets: ['kind'] });
  expect(pretraining.config.data).toEqual({
    columns: ['a', 'b', 'c', 'd'],
    valid_fraction: 0.1,
    test_fraction: 0.1,
  });
  const names = methods.map((method) => method.name);
  for (const wanted of [
    'constant',
    'SMA',
    'SMA, frozen',
    'random masking',
    'from scratch',
    'best simple model',
    'fit',
  ])
    expect(names).toContain(wanted);
});

it('says what is odd in the file: bad lines, columns that tell, classes that nothing can learn', async () => {
  const path = join(folder, 'odd.csv');
  const rows = Array.from({ length: 5 }, (_, time) => flowers.map((row) => row.replace(',', `${time},`)));
  const parts = ['train', 'train', 'train', 'valid', 'test'];
  const all = rows.flat().map((row, i) => `${row},${row.split(',')[4].length},${parts[i % 5]}`);
  const odd = ['x,1', '5.5,3,4,1.2,unheard,7,test'];
  await writeFile(path, `a,b,c,d,kind,letters,split\n${[...all, ...odd].join('\n')}\n`);
  const told: string[] = [];
  await suiteOfFile(path, ['kind'], (message) => told.push(message));
  const text = told.join('\n');
  expect(text).toContain('column letters tells kind alone');
  expect(text).toContain('are of classes without a training record (unheard)');
  expect(text).toMatch(/1 record/);
});

it('has no frozen encoder and no fit for labels of tokens', async () => {
  const path = join(folder, 'letters.csv');
  const amino = 'ACDEFGHIKLMNPQRSTVWY';
  const chain = (i: number) =>
    Array.from(
      { length: 30 + (i % 5) },
      (_, at) => amino[(i * 7 + at * at + Math.floor(i / 20) * at) % 20],
    ).join('');
  const rows = Array.from(
    { length: 60 },
    (_, i) => `${chain(i)},${chain(i).replaceAll(/[AEL]/g, 'H').replaceAll(/[^H]/g, 'C')}`,
  );
  await writeFile(path, `sequence,states\n${rows.join('\n')}\n`);
  const [{ methods, task }] = (await suiteOfFile(path, ['states'])).tasks;
  expect(task).toBe('per-token');
  expect(methods.map(({ name }) => name)).toEqual(['constant', 'from scratch', 'random masking', 'SMA']);
});

it('is run by bench from the file’s own folder, and says what is missing', async () => {
  const out = join(folder, 'out');
  const only = { methods: ['constant', 'best simple model'] };
  const { results, computed } = await bench({ suite: file, targets: ['kind'], out, only, threads: 1 });
  expect(computed).toBe(2);
  const [constant, simple] = results.cells.map(({ test }) => Number(test));
  expect(simple).toBeGreaterThan(constant);
  expect((await bench({ suite: file, targets: ['kind'], out, only, threads: 1 })).kept).toBe(2);
  // Other data of the same name take the place of these, and that is said.
  const told: string[] = [];
  const again = join(folder, 'again', 'my flowers.csv');
  await mkdir(dirname(again));
  await writeFile(again, (await readFile(file, 'utf8')).split('\n').slice(0, -9).join('\n'));
  const onEvent = (event: object) => void ('message' in event && told.push(String(event.message)));
  await bench(
    { suite: again, targets: ['kind'], out, only: { methods: ['constant'] }, threads: 1 },
    { onEvent },
  );
  expect(told.join('\n')).toContain('kind · constant, seed 1: what');
  await expect(bench({ suite: file, out })).rejects.toThrow('name the column to predict with --target');
  await expect(bench({ suite: 'tape', out })).rejects.toThrow('name the folder of the published data');
  await expect(bench({ suite: file, targets: ['colour'], out })).rejects.toThrow('colour');
});

it('multiplies the steps of a pretraining that the file decides by the budget', async () => {
  const only = { methods: ['SMA, frozen'] };
  const out = join(folder, 'trial');
  const { results } = await bench({ suite: file, targets: ['kind'], out, only, threads: 1, budget: 0.1 });
  // At least 500 steps suit a file however small it is.
  expect(results.pretraining.map(({ steps }) => steps)).toEqual([50]);
});
