import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFit } from '../cli/describe-fit.js';
import { loadRiskMolecules } from '../demo/molecules.js';
import type { ProgressEvent } from '../learning/progress-event.js';
import { load } from '../models/load.js';
import { scoreMetric } from '../scoring/metrics.js';
import { embed } from './embed.js';
import { type FitSummary, type FitVerbOptions, fit as fitFile } from './fit.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';

let folder: string;
const file = (name: string) => join(folder, name);

/** Letters that every part has, so that no record is left out. */
const COMMON = /^[CcNnOoSFl()=123]+$/;
const count = (text: string, pattern: RegExp) => (text.match(pattern) ?? []).length;
const parts = ['train', 'train', 'train', 'valid', 'test'];
const partOf = (row: number) => parts[row % parts.length];

let smiles: string[];
const carbons = (text: string) => count(text.replaceAll('Cl', ''), /[Cc]/g);

/** One row per molecule: what its text counts, and two labels; `change` alters those of the test. */
function table(change: (label: number) => number = (label) => label): string {
  const rows = smiles.map((text, row) => {
    const own = (label: number) => (partOf(row) === 'test' ? change(label) : label);
    const halogen = text.includes('Cl') ? 'chlorine' : text.includes('F') ? 'fluorine' : 'none';
    const oxygens = row % 9 === 0 ? '' : count(text, /[Oo]/g);
    const labels = [own(text.length), own(Number(text.includes('=')))];
    return [
      oxygens,
      count(text, /[Nn]/g),
      count(text, /[123]/g),
      carbons(text),
      halogen,
      ...labels,
      partOf(row),
    ];
  });
  return ['oxygens,nitrogens,digits,carbons,halogen,letters,double,split', ...rows, ''].join('\n');
}

let made = 0;
async function run(options: Partial<FitVerbOptions> & { targets: string[] }) {
  const out = file(`fit-${made++}`);
  const summary = await fitFile({ data: file('table.csv'), out, ...options });
  return { out, summary };
}

/** The test labels of a column, and what a model predicts for their records. */
async function testPredictions(model: string, data: string, column: number) {
  await predict({ run: model, data: file(data), out: file('predicted.csv') });
  const lines = (await readFile(file('predicted.csv'), 'utf8')).trim().split('\n').slice(1);
  const rows = (await readFile(file(data), 'utf8')).trim().split('\n').slice(1);
  const test = rows.flatMap((line, row) => (partOf(row) === 'test' ? [[line, lines[row]] as const] : []));
  await rm(file('predicted.csv'));
  return {
    truth: test.map(([line]) => Number(line.split(',')[column])),
    predicted: test.map(([, line]) => Number(line.split(',')[1])),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-fit-'));
  smiles = (await loadRiskMolecules())
    .map((molecule) => molecule.smiles)
    .filter((text) => COMMON.test(text))
    .filter((_, i) => i % 15 === 0);
  await writeFile(file('table.csv'), table());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const chosenScore = ({ rows, chosen }: FitSummary) => rows.find(({ name }) => name === chosen)!.test.value;
const regression = { task: 'regression', targets: 1, outputs: 1 } as const;

describe('fit on a table', () => {
  it('scores simple models and their ensemble, and leaves one that predicts what was scored', async () => {
    const { out, summary } = await run({ targets: ['letters'], config: { fit: { task: 'regression' } } });
    expect(summary).toMatchObject({ metric: 'rmse', higherIsBetter: false, folds: 5 });
    expect(summary.rows.map(({ name }) => name)).toEqual([
      'linear on values',
      'boosted trees on values',
      'random forest on values',
      'extra trees on values',
      'ensemble of the simple models',
    ]);
    const { truth, predicted } = await testPredictions(out, 'table.csv', 5);
    const error = scoreMetric('rmse', predicted, truth, regression);
    expect(error).toBeCloseTo(chosenScore(summary), 5);
    // Atoms and rings say most of how long a text is.
    const mean = truth.reduce((sum, value) => sum + value, 0) / truth.length;
    const spread = scoreMetric(
      'rmse',
      truth.map(() => mean),
      truth,
      regression,
    );
    expect(error).toBeLessThan(0.5 * spread);
    for (const { test } of summary.rows) expect(test.low <= test.value && test.value <= test.high).toBe(true);
    expect(describeFit(summary)).toContain('never choose by test');
  });

  it('goes on where it was stopped, to the same rows, and not with other options', async () => {
    const stopped = { data: file('table.csv'), targets: ['letters'], out: file('stopped') };
    const config = { fit: { task: 'regression', folds: 2 } } as const;
    const controller = new AbortController();
    const first = fitFile(
      { ...stopped, config },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'info' && event.message.startsWith('2 of')) controller.abort();
        },
      },
    );
    await expect(first).rejects.toThrow();
    await expect(fitFile({ ...stopped, config })).rejects.toThrow('not empty');
    const other = { fit: { task: 'regression', folds: 3 } } as const;
    await expect(fitFile({ ...stopped, config: other, resume: true })).rejects.toThrow('other options');
    const told: string[] = [];
    const resumed = await fitFile(
      { ...stopped, config, resume: true },
      { onEvent: (event) => event.type === 'info' && told.push(event.message) },
    );
    expect(told.filter((message) => message.endsWith('done before'))).toHaveLength(2);
    const { summary } = await run({ targets: ['letters'], config });
    const withoutTime = ({ rows }: FitSummary) => rows.map(({ seconds: _, ...row }) => row);
    expect(withoutTime(resumed)).toEqual(withoutTime(summary));
    expect(await readdir(stopped.out)).toEqual(await readdir(summary.model));
  });

  it('leaves nothing where it refuses, and goes on with a pretraining that was stopped', async () => {
    const options = { data: file('table.csv'), targets: ['letters'], out: file('pretraining') };
    const fitKeys = { task: 'regression', folds: 1, pretrain: true, trained_encoder: false } as const;
    const refused = { fit: { ...fitKeys, split: 'scaffold' } } as const;
    await expect(fitFile({ ...options, config: refused })).rejects.toThrow('would be learned from');
    expect(await readdir(folder)).not.toContain('pretraining');
    const config = {
      fit: fitKeys,
      encoder: { kind: 'transformer', width: 8, layers: 1, heads: 1 },
      training: { steps: 4, batch_size: 8 },
    } as const;
    const controller = new AbortController();
    const stop = (event: ProgressEvent) => {
      if (event.type === 'step') controller.abort();
    };
    const first = fitFile({ ...options, config }, { signal: controller.signal, onEvent: stop });
    await expect(first).rejects.toThrow();
    const { rows } = await fitFile({ ...options, config, resume: true });
    expect(rows.map(({ name }) => name)).toContain('linear on embedding + values');
    await expect(fitFile({ ...options, config, resume: true })).rejects.toThrow(
      'is done, so there is nothing',
    );
  });

  it('chooses without the test labels', async () => {
    await writeFile(
      file('changed.csv'),
      table((label) => 100 - label),
    );
    const config = { fit: { task: 'regression', folds: 1 } } as const;
    const [{ summary: first }, { summary: second }] = [
      await run({ targets: ['letters'], config }),
      await run({ targets: ['letters'], config, data: file('changed.csv') }),
    ];
    expect(second.chosen).toBe(first.chosen);
    expect(second.rows.map(({ valid, weights }) => [valid, weights])).toEqual(
      first.rows.map(({ valid, weights }) => [valid, weights]),
    );
    expect(second.rows.map(({ test }) => test.value)).not.toEqual(first.rows.map(({ test }) => test.value));
  });

  it('predicts probabilities of two classes', async () => {
    const { out, summary } = await run({ targets: ['double'], config: { fit: { ignore: ['letters'] } } });
    const { truth, predicted } = await testPredictions(out, 'table.csv', 6);
    expect(predicted.every((p) => p >= 0 && p <= 1)).toBe(true);
    const auc = scoreMetric('roc-auc', predicted, truth, { task: 'binary', targets: 1, outputs: 1 });
    expect(auc).toBeCloseTo(chosenScore(summary), 6);
  });

  it('predicts from a single column, and tells of keys that it does not use', async () => {
    const told: string[] = [];
    const summary = await fitFile(
      {
        data: file('table.csv'),
        out: file('single'),
        targets: ['letters'],
        config: {
          fit: { task: 'regression', columns: ['carbons'], folds: 1 },
          training: { steps: 9 },
        },
      },
      { onEvent: (event) => event.type === 'warning' && told.push(event.message) },
    );
    expect(summary.rows).toHaveLength(5);
    expect(told.join()).toContain('add --pretrain');
  });

  it('refuses an encoder given and asked for, and leaves no folder when a target is not there', async () => {
    await expect(
      run({ targets: ['letters'], run: file('nothing'), config: { fit: { pretrain: true } } }),
    ).rejects.toThrow('leave out --run or --pretrain');
    await expect(
      run({ targets: ['letters'], run: file('nothing'), config: { fit: { ignore: ['carbons'] } } }),
    ).rejects.toThrow('leave out --run');
    const before = await readdir(folder);
    await expect(run({ targets: ['colour'] })).rejects.toThrow('colour');
    expect(await readdir(folder)).toEqual(before);
  });
});

describe('fit with an encoder', () => {
  const pretrainOn = (data: string, out: string, { width = 16, seed = 0, steps = 30 } = {}) =>
    pretrain({
      data,
      out,
      config: {
        data: { columns: ['smiles'] },
        encoder: { width, layers: 1, latents: 8, heads: 2 },
        training: { steps, batch_size: 16, threads: 1, seed },
      },
    });

  it('tries its embeddings and trains it, and the model that is left needs no other folder', async () => {
    const rows = smiles.map((text, row) => `${text},${carbons(text)},${partOf(row)}`);
    await writeFile(file('molecules.csv'), ['smiles,carbons,split', ...rows, ''].join('\n'));
    await pretrainOn(file('molecules.csv'), file('run'));
    const { out, summary } = await run({
      data: file('molecules.csv'),
      targets: ['carbons'],
      run: file('run'),
      config: { fit: { task: 'regression', folds: 2 } },
    });
    const learned = summary.rows.filter(({ representation }) => representation).map(({ name }) => name);
    expect(learned).toEqual(expect.arrayContaining(['linear on embedding', 'encoder trained on the labels']));
    expect(summary.rows.map(({ name }) => name)).toContain('boosted trees on descriptors');
    expect(summary.differences.map(({ against }) => against)).toContain('ensemble of the simple models');
    expect(describeFit(summary)).toMatch(/The representation (added|cost)/);
    await rm(file('run'), { recursive: true });
    const { truth, predicted } = await testPredictions(out, 'molecules.csv', 1);
    expect(scoreMetric('rmse', predicted, truth, regression)).toBeCloseTo(chosenScore(summary), 4);
    // A model with an encoder in it embeds, too.
    if (summary.rows.some(({ name, representation }) => name === summary.chosen && representation)) {
      const { dimension } = await embed({ run: out, data: file('molecules.csv'), out: file('e.npy') });
      expect(dimension).toBe(16);
    }
  });

  it('tells texts that are no molecules wherever their features are read, and predicts a target of any name', async () => {
    const texts = [...smiles.slice(0, 60), 'C(C', 'CC)'];
    const rows = texts.map((text, row) => `${text},${carbons(text)},${partOf(row)}`);
    await writeFile(file('odd.csv'), ['smiles,row,split', ...rows, ''].join('\n'));
    const told: string[] = [];
    const onEvent = (event: ProgressEvent) => void ('message' in event && told.push(event.message));
    const config = { fit: { task: 'regression', folds: 1 } } as const;
    const model = { data: file('odd.csv'), targets: ['row'], out: file('odd') };
    await fitFile({ ...model, config }, { onEvent });
    const odd = (done: string) =>
      `2 records hold text that RDKit does not read as a molecule; their features are 0, and they are ${done} all the same`;
    expect(told).toContain(odd('learned from'));
    await predict({ run: model.out, data: model.data, out: file('odd-predicted.csv') }, { onEvent });
    expect(told).toContain(odd('predicted'));
    expect(await readFile(file('odd-predicted.csv'), 'utf8')).toMatch(/^record,row\n0,/);
    const loaded = await load(model.out, {}, { onEvent });
    told.length = 0;
    await loaded.predict(texts.slice(-2));
    expect(told).toEqual([odd('predicted')]);
    await loaded.dispose();
  });

  it('trains those of several runs, says which are too many, and refuses another architecture', async () => {
    const data = file('several.csv');
    const rows = smiles.slice(0, 60).map((text, row) => `${text},${carbons(text)},${partOf(row)}`);
    await writeFile(data, ['smiles,carbons,split', ...rows, ''].join('\n'));
    await pretrainOn(data, file('first'), { steps: 2 });
    await pretrainOn(data, file('second'), { steps: 2, seed: 1 });
    await pretrainOn(data, file('wider'), { steps: 2, width: 32 });
    const fitFrom = async (...runs: string[]) => {
      const warnings: string[] = [];
      const { rows: found } = await fitFile(
        {
          data,
          out: file(runs.join()),
          targets: ['carbons'],
          run: runs.map(file),
          config: { fit: { task: 'regression', folds: 2 } },
        },
        {
          onEvent: (event) =>
            event.type === 'warning' && event.message.includes('runs are') && warnings.push(event.message),
        },
      );
      const trained = found.find(({ name }) => name === 'encoder trained on the labels')!;
      return { trained: trained.test.value, warnings };
    };
    const [one, both] = [await fitFrom('first', 'first'), await fitFrom('first', 'second', 'first')];
    expect(both.trained).not.toBe(one.trained);
    expect(one.warnings).toEqual([]);
    expect(both.warnings.join()).toContain('2 of the 3 runs are used');
    await expect(fitFrom('first', 'wider')).rejects.toThrow('its encoder is not that of');
  });
});

describe('fit on texts', () => {
  it('leaves out words where none is in two texts, and says so', async () => {
    const word = (row: number) => String.fromCharCode(97 + (row % 26), 97 + Math.floor(row / 26));
    const lines = Array.from(
      { length: 60 },
      (_, row) => `${word(row)}${row} ${word(row + 99)}${row},${row % 2}`,
    );
    await writeFile(file('texts.csv'), ['text,label', ...lines, ''].join('\n'));
    const told: string[] = [];
    const summary = await fitFile(
      {
        data: file('texts.csv'),
        targets: ['label'],
        out: file('texts'),
        config: { fit: { folds: 2, metric: 'accuracy' } },
      },
      { onEvent: (event) => event.type === 'warning' && told.push(event.message) },
    );
    expect(told.join('\n')).toContain('left out: words, of which these records have none');
    expect(summary.rows[0].name).toBe('linear on runs of characters');
  });
});
