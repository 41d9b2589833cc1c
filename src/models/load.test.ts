import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { InputError } from '../errors.js';
import { anomalies } from '../verbs/anomalies.js';
import { embed } from '../verbs/embed.js';
import { exportRun } from '../verbs/export.js';
import { finetune } from '../verbs/finetune.js';
import { fit as fitFile } from '../verbs/fit.js';
import { predict } from '../verbs/predict.js';
import { pretrain } from '../verbs/pretrain.js';
import { load, type Model } from './load.js';

/** Real molecules (ESOL, Delaney 2004) with their log solubility. */
const molecules = `Cc1occc1C(=O)Nc2ccccc2,-3.3
CC(C)=CCCC(C)=CC(=O),-2.06
c1ccc2c(c1)ccc3c2ccc4c5ccccc5ccc43,-7.87
c1ccsc1,-1.33
c2ccc1scnc1c2,-1.5
Clc1cc(Cl)c(c(Cl)c1)c2c(Cl)cccc2Cl,-7.32
O=C1CCCN1,1.07
Clc1ccc2ccccc2c1,-4.14
CCCC=C,-2.68
CCC1(C(=O)NCNC1=O)c2ccccc2,-2.64
CCCCCCCCCCCCCC,-7.96
CC(C)Cl,-1.41
CCC(C)CO,-0.47
N#Cc1ccccc1,-1
CCOP(=S)(OCC)Oc1cc(C)nc(n1)C(C)C,-3.64
CCCCCCCCCC(C)O,-2.94
CCOc1ccc(NC(=O)C)cc1,-2.35
CCCCCCCO,-1.81
Cn1c(=O)n(C)c2nc[nH]c2c1=O,-1.39
CCCCCCCC(=O)OC,-3.17`
  .split('\n')
  .map((line) => line.split(','));
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
6.7,3.3,5.7,2.1,virginica`
  .split('\n')
  .map((line) => line.split(','));
const fields = ['sepal length', 'sepal width', 'petal length', 'petal width'];

let folder: string;
let file: string;
let run: string;
const models: Model[] = [];
const opened = async (name: string) => {
  const model = await load(name, {}, { onEvent: () => {} });
  models.push(model);
  return model;
};
const texts = molecules.map(([smiles]) => smiles);
const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
/** The cells of a CSV file of plain cells, by column. */
const csv = async (path: string) => {
  const [header, ...lines] = (await readFile(path, 'utf8')).trim().split('\n');
  return lines.map((line) =>
    Object.fromEntries(line.split(',').map((cell, i) => [header.split(',')[i], cell])),
  );
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-load-'));
  file = join(folder, 'molecules.csv');
  run = join(folder, 'run');
  await writeFile(file, `smiles,solubility\n${molecules.map((cells) => cells.join(',')).join('\n')}\n`);
  await pretrain({
    data: file,
    out: run,
    config: {
      data: { columns: ['smiles'], valid_fraction: 0.2, test_fraction: 0 },
      encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
      training: { steps: 3, batch_size: 4, threads: 1 },
    },
  });
});
afterAll(async () => {
  for (const model of models) await model.dispose();
  await rm(folder, { recursive: true });
});

describe('a run in memory', () => {
  it('embeds texts and objects as the command embeds the file, one by one or together', async () => {
    const out = join(folder, 'embeddings.csv');
    await embed({ run, data: file, out });
    const expected = (await csv(out)).map(({ row, ...numbers }) => Object.values(numbers).map(Number));
    const model = await opened(run);
    expect([model.columns, model.width, model.targets]).toEqual([['smiles'], 16, undefined]);
    const together = await model.embed(texts);
    const objects = await model.embed(texts.map((smiles) => ({ smiles, other: 'not read' })));
    expect(objects).toEqual(together);
    for (const [i, text] of texts.entries()) {
      expect(largest(together[i], expected[i])).toBeLessThan(1e-5);
      expect(largest((await model.embed([text]))[0], expected[i])).toBeLessThan(1e-5);
    }
  });

  it('answers calls that overlap with what it answers to each alone', async () => {
    const model = await opened(run);
    const alone: Float32Array[] = [];
    for (const text of texts) alone.push((await model.embed([text]))[0].slice());
    const calls = await Promise.all(texts.map((text) => model.embed([text])));
    expect(calls.map(([embedding]) => embedding)).toEqual(alone);
  });

  it('answers of the records as they were at the call, and refuses options that it has not', async () => {
    const model = await opened(run);
    const records = [{ smiles: 'CCO' }];
    const asked = model.embed(records);
    records[0].smiles = 'CC';
    records.push({ smiles: 'C' });
    expect(await asked).toEqual(await model.embed(['CCO']));
    for (const [options, message] of [
      [{ treads: 1 }, 'load: treads: unknown option; known here are pool, onUnknown, threads, device'],
      [{ onUnknown: 'Fail' }, 'load: onUnknown: expected keep or fail, got "Fail"'],
      [{ device: 'gpu' }, 'load: device: expected cpu or '],
      [{ threads: 0 }, 'load: threads: expected a whole number of at least 1, got 0'],
    ] as const)
      await expect(load(run, options as object)).rejects.toThrow(message);
    await expect(load(5 as never)).rejects.toThrow(
      'load: expected the path of a folder as a text, got number',
    );
  });

  it('refuses in words what is no record of it, and goes on', async () => {
    const model = await opened(run);
    for (const [records, message] of [
      [[], 'records: expected at least one record, got none'],
      [[7], 'records: record 0: expected an object or a text, got 7'],
      [['CCO', { name: 'CCO' }], 'records: record 1 has no smiles; the model reads smiles'],
      [['CCO', { smiles: null }], 'records: record 1, column "smiles": the cell is missing'],
    ] as const) {
      const asked = model.embed(records as unknown as string[]);
      await expect(asked).rejects.toThrow(message);
      await expect(asked).rejects.toBeInstanceOf(InputError);
    }
    await expect(model.predict(['CCO'])).rejects.toThrow('has learned no labels; train it on some with');
    expect(await model.embed(['CCO'])).toHaveLength(1);
  });

  it('tells letters that it was not trained on to the call, to who opened it, or to the console, or refuses them', async () => {
    const [told, heard]: string[][] = [[], []];
    const into = (list: string[]) => (event: object) =>
      void ('message' in event && list.push(`${event.message}`));
    const model = await load(run, {}, { onEvent: into(told) });
    models.push(model);
    told.length = 0;
    const asked = ['CCO', 'C\u2603', 'C\u2603\u2604'];
    await model.embed(asked);
    expect(told).toEqual([
      '2 records hold letters or categories that the run was not trained on (column smiles: "\u2603"), first in record 1; they are read all the same; --on-unknown fail refuses them',
    ]);
    await model.embed(asked, { onEvent: into(heard) });
    expect([heard, told]).toEqual([told, [heard[0]]]);
    await model.embed(['CCO']);
    expect(told).toHaveLength(1);
    const console = vi.spyOn(globalThis.console, 'warn').mockImplementation(() => {});
    const quiet = await load(run);
    models.push(quiet);
    await quiet.embed(asked);
    expect(console.mock.calls).toEqual([[`lacuna: ${told[0]}`]]);
    console.mockRestore();
    const strict = await load(run, { onUnknown: 'fail' });
    models.push(strict);
    await expect(strict.embed(asked)).rejects.toThrow(
      'records: record 1, column "smiles": "\u2603" is no letter',
    );
    expect(await strict.embed(['CCO'])).toHaveLength(1);
  });

  it('stops where its signal says, and answers nothing once it is disposed of', async () => {
    const model = await load(run);
    await expect(model.embed(texts, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
    const before = model.embed(['CCO']);
    await model.dispose();
    expect(await before).toHaveLength(1);
    await model.dispose();
    await expect(async () => model.embed(['CCO'])).rejects.toThrow('was disposed of');
  });

  it('reads its own file as the run read it', async () => {
    const data = join(folder, 'latin.csv');
    const rows = Array.from({ length: 40 }, (_, i) => `Zürich ${i % 7},${Math.sin(i)},${Math.cos(i)}`);
    await writeFile(data, Buffer.from(['place,x,y', ...rows].join('\n'), 'latin1'));
    const out = join(folder, 'latin');
    await pretrain({
      data,
      out,
      config: {
        data: { encoding: 'windows-1252' },
        encoder: { width: 8, layers: 1, heads: 2 },
        training: { steps: 1, batch_size: 8, threads: 1 },
      },
    });
    const model = await load(out);
    const [nearest] = await model.neighbors([{ place: 'Zürich 3', x: 0.1, y: 0.9 }], 1);
    expect(nearest[0].record.place).toMatch(/^Zürich/);
    await model.dispose();
  });

  it('finds the most alike of its own file, or of others that are given', async () => {
    const model = await opened(run);
    const found = await model.neighbors([texts[4], texts[11]], 3);
    expect(found.map(([first]) => first)).toEqual(
      [4, 11].map((row) => ({ row, record: { smiles: texts[row] }, similarity: expect.closeTo(1, 5) })),
    );
    expect(found.map(({ length }) => length)).toEqual([3, 3]);
    await expect(model.neighbors(['C'], 0)).rejects.toThrow('k: expected a whole number of at least 1');
    const other = await load(run, { pool: texts.slice(0, 2) });
    const [nearest] = await other.neighbors([texts[1]], 5);
    expect(nearest.map(({ row }) => row)).toEqual([1, 0]);
    await other.dispose();
    const lacking = join(folder, 'lacking.csv');
    await writeFile(lacking, ['smiles,name', `${texts[0]},a`, ',b', `${texts[1]},c`, ''].join('\n'));
    const partly = await load(run, { pool: lacking });
    const told: string[] = [];
    const onEvent = (event: object) => 'message' in event && told.push(String(event.message));
    expect((await partly.neighbors([texts[1]], 5, { onEvent }))[0].map(({ row }) => row)).toEqual([2, 0]);
    expect(told).toEqual([expect.stringContaining('1 record was left out')]);
    await partly.dispose();
    const nowhere = await load(run, { pool: join(folder, 'nowhere.csv') });
    await expect(nowhere.neighbors(['C'], 1)).rejects.toThrow('nowhere.csv');
    expect(await nowhere.embed(['C'])).toHaveLength(1);
    await nowhere.dispose();
  });

  it('judges records as the command does, and names the letters that it did not expect', async () => {
    const out = join(folder, 'anomalies.csv');
    await anomalies({ run, data: file, out, falseAlarms: 0.4 });
    const model = await opened(run);
    const judged = await model.score(texts);
    const written = (await csv(out)).map(({ score }) => Number(score));
    expect(
      largest(
        judged.map(({ score }) => score),
        written,
      ),
    ).toBeLessThan(1e-3);
    expect(judged[0].blame[0].label).toMatch(/^letter \d+ = .$/);
    expect(judged[0].blame[0].error).toBeGreaterThanOrEqual(judged[0].blame[1].error);
    expect(judged.every(({ pValue }) => pValue > 0 && pValue <= 1)).toBe(true);
  });

  it('is the same from its export', async () => {
    const out = join(folder, 'export');
    await exportRun({ run, out });
    const [own, exported] = [await opened(run), await opened(out)];
    expect(await exported.embed(texts.slice(0, 9))).toEqual(await own.embed(texts.slice(0, 9)));
  });
});

it('predicts with a fine-tuned run as the command does', async () => {
  const [tuned, out] = [join(folder, 'tuned'), join(folder, 'predictions.csv')];
  await finetune({
    run,
    data: file,
    targets: ['solubility'],
    out: tuned,
    config: { steps: 4, seeds: 1, threads: 1 },
  });
  await predict({ run: tuned, data: file, out });
  const expected = (await csv(out)).map(({ solubility }) => Number(solubility));
  const model = await opened(tuned);
  expect(model.targets).toEqual(['solubility']);
  const all = (await model.predict(texts)).map(({ solubility }) => Number(solubility));
  expect(largest(all, expected)).toBeLessThan(1e-5);
  const [one] = await model.predict([texts[3]]);
  expect(Number(one.solubility)).toBeCloseTo(expected[3], 5);
});

it('predicts with what fit left, from objects with numbers, texts of numbers and missing cells', async () => {
  const [data, out] = [join(folder, 'iris.csv'), join(folder, 'fit')];
  const rows = flowers.map((cells) => cells.join(','));
  await writeFile(data, `${[...fields, 'kind'].join(',')}\n${[...rows, ...rows, ...rows].join('\n')}\n`);
  const told: string[] = [];
  const onEvent = (event: object) => void ('message' in event && told.push(String(event.message)));
  const config = { fit: { folds: 2 }, training: { device: 'webgpu' as const } };
  await fitFile({ data, targets: ['kind'], out, config }, { onEvent });
  expect(told.join('\n')).toContain('training.device is not used, since there is no encoder');
  const model = await opened(out);
  expect([model.width, model.targets]).toEqual([undefined, ['kind']]);
  const object = (cells: readonly unknown[]) =>
    Object.fromEntries(fields.map((name, i) => [name, cells[i] ?? null]));
  const numbers = flowers.map((cells) => object(cells.slice(0, 4).map(Number)));
  const predicted = await model.predict(numbers);
  const right = predicted.filter(({ kind }, i) => kind === flowers[i][4]).length;
  expect(right).toBeGreaterThan(14);
  expect(Object.keys(predicted[0])).toEqual(['kind', 'kind=setosa', 'kind=versicolor', 'kind=virginica']);
  expect(await model.predict(flowers.map((cells) => object(cells.slice(0, 4))))).toEqual(predicted);
  expect(await model.predict([object([5.1])])).toHaveLength(1);
  await expect(model.embed(numbers)).rejects.toThrow('with no encoder in it');
  // There is nothing that a device would compute.
  told.length = 0;
  models.push(await load(out, { device: 'webgpu' }, { onEvent }));
  expect(told).toEqual([`device: cpu, since ${out} has no encoder`]);
});
