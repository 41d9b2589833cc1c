/** Real folders, damaged in each way that `verify` promises to notice. */
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { InputError } from '../errors.js';
import { list, MANIFEST } from '../files/manifest.js';
import { load } from '../models/load.js';
import { latestCheckpoint, saveCheckpoint } from '../runs/checkpoints.js';
import { readRunConfig, writeRunJson } from '../runs/folder.js';
import { runHash } from '../runs/recorded-pretraining.js';
import type { Scores } from '../runs/scores.js';
import { boundsOf } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { exportRun } from './export.js';
import { finetune } from './finetune.js';
import { fit as fitVerb } from './fit.js';
import { pretrain } from './pretrain.js';
import { verify } from './verify.js';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const config = {
  data: { columns: ['smiles'], valid_fraction: 0.2, test_fraction: 0 },
  encoder: { kind: 'transformer', width: 8, layers: 1, heads: 1 },
  objective: { kind: 'random-masking' },
  training: { steps: 4, batch_size: 4, checkpoint_steps: 2, valid_steps: 4, log_steps: 1, threads: 1 },
} satisfies UserConfig;

/** Their lengths, which a model of a few steps learns a little of, with a digit that tells them apart. */
const table = (parts: (i: number) => string) =>
  `smiles,y,part\n${molecules.map((text, i) => `${text},${text.length + (i % 7) / 10},${parts(i)}`).join('\n')}\n`;
const partOf = (i: number) => (i % 4 === 0 ? 'test' : i % 4 === 1 ? 'valid' : 'train');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-verify-'));
  await writeFile(at('molecules.csv'), table(partOf));
  await pretrain({ data: at('molecules.csv'), out: at('run'), config });
  await finetune({
    run: at('run'),
    data: at('molecules.csv'),
    targets: ['y'],
    out: at('tuned'),
    config: { seeds: 2, steps: 6, batch_size: 4, threads: 1 },
  });
  await exportRun({ run: at('tuned'), out: at('exported') });
  await fitVerb({ data: at('molecules.csv'), targets: ['y'], out: at('fit'), config: { fit: { folds: 2 } } });
  await exportRun({ run: at('fit'), out: at('fit-exported') });
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

let copies = 0;
async function copyOf(name: string): Promise<string> {
  const copy = at(`copy ${copies++}`);
  await cp(at(name), copy, { recursive: true });
  return copy;
}

/** What failed, by the name of its check. */
async function failures(path: string, data = at('molecules.csv')): Promise<string[]> {
  const { checks, passed } = await verify({ folder: path, data });
  const failed = checks.filter(({ verdict }) => verdict === 'failed');
  expect(passed).toBe(failed.length === 0);
  return failed.map(({ name, detail }) => `${name}: ${detail}`);
}

/** What a JSON file holds, to be changed. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows what it changes
type Json = any;

/** Changes a JSON file, and its line in the manifest with it. */
async function edit(path: string, name: string, change: (value: Json) => void): Promise<void> {
  const value = JSON.parse(await readFile(join(path, name), 'utf8'));
  change(value);
  await writeFile(join(path, name), JSON.stringify(value));
  await list(path, name);
}

const folders = ['run', 'tuned', 'exported', 'fit', 'fit-exported'];

describe('verify', () => {
  it.each(folders)('finds nothing wrong with a %s, and changes nothing', async (name) => {
    const files = (await readdir(at(name), { recursive: true })).sort();
    expect(await failures(at(name))).toEqual([]);
    expect((await readdir(at(name), { recursive: true })).sort()).toEqual(files);
  });

  it('says what it did not check: absent data, folders of before', async () => {
    const copy = await copyOf('tuned');
    await rm(join(copy, MANIFEST));
    await edit(copy, 'config.json', (own) => {
      own.data.path = '/nowhere/molecules.csv';
    });
    await rm(join(copy, MANIFEST));
    const { checks, passed, kind } = await verify({ folder: copy });
    expect([passed, kind]).toEqual([true, 'fine-tuned run']);
    const left = checks.filter(({ verdict }) => verdict === 'not checked').map(({ name }) => name);
    expect(left).toEqual(['checksums', 'log', 'data', 'records', 'scores of the model']);
    expect(checks.find(({ name }) => name === 'data')?.detail).toBe(
      '/nowhere/molecules.csv is not there; name the file with --data to have it checked',
    );
  });

  it.each(folders)(
    'notices a byte of any file of a %s',
    async (name) => {
      const copy = await copyOf(name);
      const files = (await readdir(copy, { recursive: true, withFileTypes: true })).filter((entry) =>
        entry.isFile(),
      );
      expect(files.length).toBeGreaterThan(4);
      for (const entry of files) {
        const path = join(entry.parentPath, entry.name);
        const bytes = await readFile(path);
        for (const place of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
          const changed = Buffer.from(bytes);
          changed[place] ^= 1;
          await writeFile(path, changed);
          const failed = await failures(copy);
          expect(failed.length, `${relative(copy, path)}, byte ${place}`).toBeGreaterThan(0);
        }
        await writeFile(path, bytes.subarray(0, bytes.length - 1));
        expect((await failures(copy)).length, `${relative(copy, path)}, cut`).toBeGreaterThan(0);
        await rm(path);
        if (entry.name !== MANIFEST && !path.includes(`checkpoints${sep}`))
          expect((await failures(copy)).length, `${relative(copy, path)}, gone`).toBeGreaterThan(0);
        await writeFile(path, bytes);
      }
      expect(await failures(copy)).toEqual([]);
    },
    120_000,
  );

  it.each([
    ['tuned', 'labels.json'],
    ['tuned', 'tokenizer.json'],
    ['tuned', 'schema.json'],
    ['tuned', 'config.json'],
    ['exported', 'model.safetensors'],
    ['fit', 'fit.json'],
    ['fit', 'models.safetensors'],
  ])('a %s is not opened with a damaged %s, in one line', async (name, file) => {
    const copy = await copyOf(name);
    await appendFile(join(copy, file), ' ');
    const opened = load(copy);
    await expect(opened).rejects.toThrow(InputError);
    await expect(opened).rejects.toThrow(
      new RegExp(
        `${file}: corrupted: expected SHA-256 [0-9a-f]{16}…, its [\\d,]+ bytes give [^\\n]+restore it from a copy`,
      ),
    );
  });

  it('notices parameters that are not finite under a checksum that fits', async () => {
    const copy = await copyOf('run');
    const { step, tensors, metadata } = (await latestCheckpoint(copy))!;
    const [name] = Object.keys(tensors);
    (tensors[name].data as Float32Array)[0] = Number.NaN;
    await saveCheckpoint(copy, { step, tensors, metadata });
    expect(await failures(copy)).toEqual([
      expect.stringMatching(new RegExp(`^parameters: .*${name} has 1 of \\d+ numbers that are not finite`)),
    ]);
  });

  it('notices a configuration, a log and a version that cannot be', async () => {
    const copy = await copyOf('run');
    await edit(copy, 'config.json', (own) => {
      own.training.learning_rate *= 2;
    });
    expect(await failures(copy)).toEqual([expect.stringContaining('is not the configuration that')]);
    const second = await copyOf('run');
    const lines = (await readFile(join(second, 'metrics.jsonl'), 'utf8')).split('\n');
    await writeFile(join(second, 'metrics.jsonl'), [lines[1], lines[0], ...lines.slice(2)].join('\n'));
    await list(second, 'metrics.jsonl');
    expect(await failures(second)).toEqual([expect.stringContaining('step 0 comes after step 1')]);
    const third = await copyOf('run');
    const { step, tensors, metadata } = (await latestCheckpoint(third))!;
    await saveCheckpoint(third, { step, tensors, metadata: { ...metadata, version: '99.1.0' } });
    expect(await failures(third)).toEqual([expect.stringContaining('newer than this one')]);
  });

  const editScores = async (change: (scores: Json) => void) => {
    const copy = await copyOf('tuned');
    await edit(copy, 'scores.json', change);
    return failures(copy);
  };
  const summarizeAgain = (row: Json) => Object.assign(row, summarize(row.perSeed, boundsOf(row.metric)));

  it('notices scores that are not those of their seeds, nor of the model', async () => {
    for (const key of ['mean', 'sd', 'low', 'high', 'n'])
      expect(
        await editScores(({ methods }) => {
          methods[0][key] *= 1.01;
        }),
      ).toEqual([expect.stringContaining(`${key} is `)]);
    const one = await editScores(({ methods }) => {
      methods[0].perSeed[1] *= 0.9;
    });
    expect(one.join()).toContain('means and intervals: ');
    // All that follows from the scores is made to fit, and the model is another one's.
    const all = await editScores((scores) => {
      for (const row of scores.methods) {
        row.perSeed = row.perSeed.map((value: number) => value * 0.9);
        summarizeAgain(row);
      }
      delete scores.differences;
    });
    expect(all).toEqual([expect.stringMatching(/^scores of the model: .*the model that was kept scores/)]);
    const difference = await editScores(({ differences }) => {
      differences[0].mean += 1;
    });
    expect(difference).toEqual([expect.stringContaining('minus untrained')]);
    const none = await editScores(({ methods }) => {
      methods[1].perSeed[0] = null;
      Object.assign(methods[1], { mean: null, sd: null, low: null, high: null });
    });
    expect(none.join()).toContain('a score is no number, and no reason is given');
  });

  it('notices seeds that are copies, and test scores that are those of validation', async () => {
    const seeds = await editScores((scores) => {
      const row = scores.methods[1];
      for (const key of ['perSeed', 'validPerSeed']) row[key][1] = row[key][0];
      summarizeAgain(row);
      delete scores.differences;
    });
    expect(seeds).toEqual([expect.stringContaining('seeds 0 and 1 have the same scores')]);
    const copied = await editScores((scores) => {
      const row = scores.methods[1];
      row.perSeed = [...row.validPerSeed];
      summarizeAgain(row);
      delete scores.differences;
    });
    expect(copied.filter((text) => text.includes('is its validation score'))).toHaveLength(2);
  });

  it('notices other data', async () => {
    const other = at('other.csv');
    await writeFile(other, table(partOf).replace(',train', ',valid'));
    for (const name of ['run', 'tuned', 'fit']) {
      expect(await failures(at(name), other), name).toContainEqual(
        expect.stringMatching(/^data: .*expected sha256:.*it is not the file that/),
      );
    }
  });

  it('notices records in two parts', async () => {
    const path = at('overlap.csv');
    await writeFile(path, `${table(partOf)}${molecules[0]},1.5,train\n${molecules[1]},1.5,train\n`);
    await pretrain({ data: path, out: at('overlap run'), config });
    expect(await failures(at('overlap run'), path)).toEqual([
      'records: 1 different records of the validation part are in the training part too, equal in all that the model reads',
      'records: 1 different records of the test part are in the training part too, equal in all that the model reads',
    ]);
    await finetune({
      run: at('overlap run'),
      data: path,
      targets: ['y'],
      out: at('overlap tuned'),
      config: { seeds: 1, steps: 2, batch_size: 4, threads: 1, from_scratch: true },
    });
    expect(await failures(at('overlap tuned'), path)).toHaveLength(2);
  });

  it('does not hold equal records against parts of which each row was drawn', async () => {
    const path = at('twice.csv');
    await writeFile(path, table(partOf) + table(partOf).split('\n').slice(1).join('\n'));
    await fitVerb({ data: path, targets: ['y'], out: at('by rows'), config: { fit: { split: 'rows' } } });
    const { checks, passed } = await verify({ folder: at('by rows') });
    expect(passed).toBe(true);
    expect(checks.find(({ name }) => name === 'records')).toEqual({
      name: 'records',
      verdict: 'not checked',
      detail: 'rows were drawn one by one, so equal records may be in two parts',
    });
    expect(checks.find(({ name }) => name === 'scores of the model')?.verdict).toBe('ok');
  });

  it('notices what was learned from and was held out', async () => {
    const copy = await copyOf('run');
    await edit(copy, 'config.json', (own) => {
      delete own.data.split_column;
      own.data.valid_fraction = 0.5;
    });
    const { step, tensors, metadata } = (await latestCheckpoint(copy))!;
    const config_hash = runHash(await readRunConfig(copy));
    await saveCheckpoint(copy, { step, tensors, metadata: { ...metadata, config_hash } });
    expect(await failures(copy)).toEqual([
      expect.stringMatching(/^records: \d+ records of the validation part were learned from$/),
    ]);
  });

  it('notices the same of a fit', async () => {
    const copy = await copyOf('fit');
    await edit(copy, 'fit.json', ({ rows, chosen }) => {
      rows.find(({ name }: { name: string }) => name === chosen).test.value *= 1.1;
    });
    expect(await failures(copy)).toEqual([expect.stringContaining('the model that was kept scores')]);
    const second = await copyOf('fit');
    await edit(second, 'fit.json', (own) => {
      own.chosen = 'nothing';
      own.rows.push(own.rows[0]);
      own.rows[1].valid = own.rows[1].test.value;
    });
    const failed = (await failures(second)).join('\n');
    for (const text of ['is no row of the table', 'is there twice', 'the test score is the validation score'])
      expect(failed).toContain(text);
  });

  it('refuses a folder that is none of them', async () => {
    await expect(verify({ folder })).rejects.toThrow('expected the folder of a run, an export, a fit');
    const swept = join(folder, 'swept');
    await mkdir(swept);
    await writeFile(join(swept, 'sweep.json'), '{}');
    await expect(verify({ folder: swept })).rejects.toThrow(
      'is the folder of a sweep, whose trials are runs',
    );
  });

  it('reads the scores of a probe, which are of no training', async () => {
    const copy = await copyOf('tuned');
    const scores: Scores = JSON.parse(await readFile(join(copy, 'scores.json'), 'utf8'));
    const methods = scores.methods.map(({ validPerSeed: _, ...row }) => ({
      ...row,
      method: `${row.method}, linear`,
    }));
    await writeRunJson(copy, 'scores', { ...scores, methods, differences: undefined });
    const { checks, passed } = await verify({ folder: copy, data: at('molecules.csv') });
    expect(passed).toBe(true);
    expect(checks.find(({ name }) => name === 'scores of the model')?.verdict).toBe('not checked');
  });
});
