import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRiskMolecules, type RiskMolecule } from '../demo/molecules.js';
import { loadCheckpoint } from '../runs/checkpoints.js';
import type { Scores } from '../runs/scores.js';
import { rootMeanSquaredError } from '../scoring/metrics.js';
import { withQuery } from '../sources/duckdb.js';
import { finetune } from './finetune.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';

/** Carbon atoms of a molecule: a label that is known exactly and can be learned from its text. */
const carbons = (smiles: string) => (smiles.replaceAll('Cl', '').match(/[Cc]/g) ?? []).length;
const halogen = (smiles: string) =>
  smiles.includes('Cl') ? 'chlorine' : smiles.includes('F') ? 'fluorine' : 'none';

/** Letters that every part has, so that no record is left out. */
const COMMON = /^[CcNnOoSFl()=123]+$/;

let folder: string;
let molecules: RiskMolecule[];
const file = (name: string) => join(folder, name);
const parts = ['train', 'train', 'train', 'valid', 'test'];
const partOf = (row: number) => parts[row % parts.length];

/** One row per molecule; `change` may alter a label. */
function table(change: (row: number, label: number) => number | '' = (_, label) => label): string {
  const lines = molecules.map(({ smiles, mutagenic, irritant }, row) =>
    [
      smiles,
      partOf(row),
      change(row, carbons(smiles)),
      halogen(smiles),
      change(row, mutagenic),
      row % 7 === 0 ? '' : irritant,
    ].join(','),
  );
  return ['smiles,split,carbons,halogen,mutagenic,irritant', ...lines, ''].join('\n');
}

const config = { steps: 60, batch_size: 16, seeds: 2, threads: 1, learning_rate: 3e-3 };
let runs = 0;
async function tune(targets: string[], options: object = {}, data = 'molecules.csv') {
  const out = file(`tuned-${runs++}`);
  const scores = await finetune({
    run: file('run'),
    data: file(data),
    targets,
    out,
    config: { ...config, ...options },
  });
  return { out, scores };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-finetune-'));
  molecules = (await loadRiskMolecules())
    .filter(({ smiles }) => COMMON.test(smiles))
    .filter((_, i) => i % 15 === 0);
  await writeFile(file('molecules.csv'), table());
  await pretrain({
    data: file('molecules.csv'),
    out: file('run'),
    config: {
      encoder: { width: 16, layers: 1, latents: 8, heads: 2 },
      training: { steps: 30, batch_size: 16, threads: 1 },
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('finetune', () => {
  it('learns a regression better than the mean does, from both starts, and predicts what it scored', async () => {
    const { out, scores } = await tune(['carbons'], { task: 'regression', steps: 200 });
    expect(scores).toMatchObject({ task: 'regression', metric: 'rmse', higherIsBetter: false });
    expect(scores.methods.map(({ method }) => method)).toEqual(['sma', 'untrained']);
    const test = molecules.flatMap(({ smiles }, row) => (partOf(row) === 'test' ? [carbons(smiles)] : []));
    const mean = test.reduce((sum, value) => sum + value, 0) / test.length;
    const spread = Math.sqrt(test.reduce((sum, value) => sum + (value - mean) ** 2, 0) / test.length);
    for (const { perSeed } of scores.methods) {
      expect(perSeed).toHaveLength(2);
      for (const value of perSeed) expect(value).toBeLessThan(0.8 * spread);
    }

    const written = await predict({ run: out, data: file('molecules.csv'), out: file('predictions.csv') });
    expect(written).toMatchObject({ rows: molecules.length, rejected: 0 });
    const [header, ...lines] = (await readFile(file('predictions.csv'), 'utf8')).trim().split('\n');
    expect(header).toBe('row,carbons');
    const predicted = lines.map((line) => Number(line.split(',')[1]));
    const error = rootMeanSquaredError(
      predicted.filter((_, row) => partOf(row) === 'test'),
      test,
    );
    // The run that is written is one of the seeds of the first method.
    expect(Math.min(...scores.methods[0].perSeed.map((value) => Math.abs(value - error)))).toBeLessThan(1e-4);
  });

  it('is the same every time, and writes its scores', async () => {
    const [first, second] = [await tune(['mutagenic']), await tune(['mutagenic'])];
    const values = ({ methods }: Scores) => methods.map(({ perSeed }) => perSeed);
    expect(values(first.scores)).toEqual(values(second.scores));
    const stored: Scores = JSON.parse(await readFile(join(first.out, 'scores.json'), 'utf8'));
    expect(stored).toMatchObject({ task: 'binary', metric: 'roc-auc', targets: ['mutagenic'] });
    expect(values(stored)).toEqual(values(first.scores));
    expect(first.scores.split).toEqual({
      by: 'column split',
      testLearned: { records: 0, of: 38, exact: true },
      ...Object.fromEntries(
        ['train', 'valid', 'test'].map((part) => [
          part,
          molecules.filter((_, row) => partOf(row) === part).length,
        ]),
      ),
    });
  });

  it('never looks at a test label before the end: turning them over changes nothing but the score', async () => {
    await writeFile(
      file('flipped.csv'),
      table((row, label) => (partOf(row) === 'test' ? 1 - Math.min(1, label) : Math.min(1, label))),
    );
    await writeFile(
      file('plain.csv'),
      table((_, label) => Math.min(1, label)),
    );
    const options = { seeds: 1 };
    const plain = await tune(['mutagenic'], options, 'plain.csv');
    const flipped = await tune(['mutagenic'], options, 'flipped.csv');
    plain.scores.methods.forEach(({ perSeed }, i) => {
      expect(perSeed[0] + flipped.scores.methods[i].perSeed[0]).toBeCloseTo(1, 12);
    });
    const parameters = async (out: string) => {
      const [name] = await readdir(join(out, 'checkpoints'));
      return (await loadCheckpoint(join(out, 'checkpoints', name))).tensors;
    };
    expect(await parameters(flipped.out)).toEqual(await parameters(plain.out));
  });

  it('does several labels at once with cells missing, and several classes', async () => {
    const { scores } = await tune(['mutagenic', 'irritant']);
    expect(scores.task).toBe('multilabel');
    for (const { perSeed, perTarget } of scores.methods) {
      perTarget!.forEach((values, seed) => {
        expect(values).toHaveLength(2);
        expect((values[0] + values[1]) / 2).toBeCloseTo(perSeed[seed], 12);
      });
    }
    const classes = await tune(['halogen'], { seeds: 1, from_scratch: true });
    expect(classes.scores).toMatchObject({ task: 'multiclass', metric: 'accuracy' });
    expect(classes.scores.methods.map(({ method }) => method)).toEqual(['untrained']);
    await predict({ run: classes.out, data: file('molecules.csv'), out: file('classes.parquet') });
  });
});

describe('a fine-tuning that is stopped', () => {
  const options = {
    steps: 230,
    seeds: 2,
    weight_average: 0.9,
    dropout: 0.1,
    patience: 9,
    shots: undefined,
  };
  const start = (out: string, { resume = false, more = {} } = {}) =>
    ({
      run: file('run'),
      data: file('molecules.csv'),
      targets: ['carbons'],
      out: file(out),
      resume,
      config: { ...config, ...options, task: 'regression', ...more },
    }) as const;
  const learned = ({ methods }: Scores) => methods.map(({ seconds: _, ...row }) => row);
  const filesOf = async (out: string) => {
    const names = (await readdir(file(out), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !/scores|SHA256/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name));
    return Promise.all(
      names.sort().map(async (path) => [path.slice(file(out).length), await readFile(path)]),
    );
  };

  it('goes on to the same bits, wherever it was stopped, and trains nothing twice', async () => {
    const whole = await finetune(start('whole'));
    let steps = 0;
    for (let stops = 1; ; stops++) {
      const stop = new AbortController();
      let own = 0;
      const scores = await finetune(start('stopped', { resume: true }), {
        signal: stop.signal,
        onEvent: ({ type }) => {
          if (type !== 'step') return;
          steps++;
          if (++own === 130) stop.abort(new Error('stopped'));
        },
      }).catch((error: Error) => {
        expect(error.message).toBe('stopped');
      });
      if (!scores) {
        expect(await readdir(file('stopped'))).toEqual(['attempts']);
        continue;
      }
      expect(stops).toBeGreaterThan(3);
      expect(learned(scores)).toEqual(learned(whole));
      break;
    }
    expect(steps).toBe(4 * 230);
    expect(await filesOf('stopped')).toEqual(await filesOf('whole'));
  });

  it('is not gone on with by other options, nor where it was not asked for', async () => {
    const stop = new AbortController();
    const stopped = finetune(start('other'), {
      signal: stop.signal,
      onEvent: ({ type }) => type === 'step' && stop.abort(new Error('stopped')),
    });
    await expect(stopped).rejects.toThrow('stopped');
    await expect(finetune(start('other'))).rejects.toThrow('go on with its run by --resume');
    const other = start('other', { resume: true, more: { learning_rate: 1e-3 } });
    await expect(finetune(other)).rejects.toThrow('begun with other data, another encoder or other options');
    await expect(finetune(start('whole', { resume: true }))).rejects.toThrow('is done, so there is nothing');
  });
});

describe('several splits', () => {
  it('are scored one by one; the first is that of a single one, and its model is written', async () => {
    const split = { split: 'random', seeds: 1, steps: 20 };
    const one = await tune(['mutagenic'], split);
    const events: string[] = [];
    const out = file('splits');
    const three = await finetune(
      {
        run: file('run'),
        data: file('molecules.csv'),
        targets: ['mutagenic'],
        out,
        config: { ...config, split: 'random', seeds: 1, steps: 20, splits: 3 },
      },
      { onEvent: (event) => event.type === 'seed' && events.push(`${event.method}, ${event.context}`) },
    );
    expect(events.slice(0, 3)).toEqual(['sma, split 1 of 3', 'untrained, split 1 of 3', 'sma, split 2 of 3']);
    expect(three.split).toMatchObject({ splits: 3, train: one.scores.split.train });
    for (const [i, { perSplit, perSeed, n }] of three.methods.entries()) {
      expect(perSplit).toHaveLength(3);
      expect(perSeed).toEqual(perSplit);
      expect(n).toBe(3);
      expect(perSplit![0]).toBe(one.scores.methods[i].perSeed[0]);
    }
    expect(three.differences).toMatchObject([{ method: 'sma', minus: 'untrained', n: 3 }]);
    const [sma, untrained] = three.methods;
    expect(three.differences![0].mean).toBeCloseTo(sma.mean - untrained.mean, 12);
    const parameters = async (folder: string) => {
      const [name] = await readdir(join(folder, 'checkpoints'));
      return (await loadCheckpoint(join(folder, 'checkpoints', name))).tensors;
    };
    expect(await parameters(out)).toEqual(await parameters(one.out));
  });

  it('are refused where the file has a split column', async () => {
    await expect(tune(['mutagenic'], { splits: 2 })).rejects.toThrow(/column "split" gives the parts/);
  });
});

describe('shots', () => {
  it('give a row for each number, with the same test part', async () => {
    const { scores } = await tune(['halogen'], { shots: [8, 2], steps: 20, metric: 'accuracy' });
    expect(scores.methods.map(({ method, shots }) => [method, shots])).toEqual([
      ['sma', 2],
      ['untrained', 2],
      ['sma', 8],
      ['untrained', 8],
    ]);
    for (const { perSeed } of scores.methods)
      for (const value of perSeed)
        expect(Math.abs(value * scores.split.test - Math.round(value * scores.split.test))).toBeLessThan(
          1e-9,
        );
    expect(scores.differences!.map(({ shots, n }) => [shots, n])).toEqual([
      [2, 2],
      [8, 2],
    ]);
  });

  it('are refused where validation cannot choose by them', async () => {
    await expect(tune(['carbons'], { task: 'regression', metric: 'r2', shots: [1] })).rejects.toThrow(
      /^1 shot, seed 0: R² is not defined on the validation part/,
    );
  });
});

describe('--randomize-smiles', () => {
  it('is told, changes what training sees and is the same every time', async () => {
    const options = { task: 'regression' as const, seeds: 1, from_scratch: true };
    const told: string[] = [];
    const randomized = async (out: string) =>
      finetune(
        {
          run: file('run'),
          data: file('molecules.csv'),
          targets: ['carbons'],
          out: file(out),
          config: { ...config, ...options, randomize_smiles: true },
        },
        { onEvent: (event) => event.type === 'info' && told.push(event.message) },
      );
    const [first, second] = [await randomized('random-1'), await randomized('random-2')];
    const count = molecules.filter((_, row) => partOf(row) === 'train').length;
    expect(told[0]).toBe(`each epoch trains on other SMILES of ${count} of ${count} molecules`);
    expect(second.methods[0].perSeed).toEqual(first.methods[0].perSeed);
    const plain = await tune(['carbons'], options);
    expect(first.methods[0].perSeed).not.toEqual(plain.scores.methods[0].perSeed);
  });
});

describe('target transforms', () => {
  it.each(['quantile', 'log'] as const)('%s: learns, and predict undoes it', async (target_transform) => {
    await writeFile(
      file('positive.csv'),
      table((_, label) => label + 1),
    );
    const options = { task: 'regression', steps: 200, seeds: 1, from_scratch: true, target_transform };
    const { out, scores } = await tune(['carbons'], options, 'positive.csv');
    const predictions = file(`${target_transform}.csv`);
    await predict({ run: out, data: file('molecules.csv'), out: predictions });
    const [, ...lines] = (await readFile(predictions, 'utf8')).trim().split('\n');
    const rows = [...molecules.keys()].filter((row) => partOf(row) === 'test');
    const error = rootMeanSquaredError(
      rows.map((row) => Number(lines[row].split(',')[1])),
      rows.map((row) => carbons(molecules[row].smiles) + 1),
    );
    expect(error).toBeCloseTo(scores.methods[0].perSeed[0], 4);
  });

  it('are refused where they have no meaning', async () => {
    await expect(tune(['mutagenic'], { target_transform: 'quantile' })).rejects.toThrow(
      /quantile is for regression, and this task is binary/,
    );
    await expect(tune(['mutagenic'], { task: 'regression', target_transform: 'log' })).rejects.toThrow(
      /target column mutagenic: --target-transform log needs labels above 0, got 0/,
    );
  });
});

describe('predict', () => {
  it('reads a letter that the run has never seen as unknown, or leaves its record out when asked to', async () => {
    const { out } = await tune(['carbons'], { task: 'regression', steps: 5, seeds: 1 });
    await writeFile(file('strange.csv'), 'id,smiles\na,CCO\nb,CC?C\nc,\nd,CCN\n');
    const strange = { run: out, data: file('strange.csv'), out: file('strange-predictions.csv') };
    await expect(predict(strange)).rejects.toThrow(
      /strange\.csv: record 2, column "smiles": the cell is missing/,
    );
    await expect(readFile(strange.out)).rejects.toThrow('ENOENT');
    const strict = { on_bad_record: 'skip', on_unknown: 'fail' } as const;
    expect(await predict({ ...strange, config: strict })).toMatchObject({ rows: 2, rejected: 2 });
    const { rows, rejected } = await predict({ ...strange, config: { on_bad_record: 'skip' } });
    expect({ rows, rejected }).toEqual({ rows: 3, rejected: 1 });
    const text = await readFile(strange.out, 'utf8');
    expect(text.split('\n').map((line) => line.split(',')[0])).toEqual(['row', '0', '1', '3', '']);
  });

  it('keeps columns in the characters of the file, and types what it knows', async () => {
    const { out } = await tune(['carbons'], { task: 'regression', steps: 5, seeds: 1 });
    const data = file('kept.csv');
    const kept = ['007,2024-01-02,CCO,-5,"=1+1"', '010,2024-01-03,CCN,1e0,@x', '1_0,,CCC,0.10,+ab'];
    await writeFile(data, `id,Row,smiles,carbons,note\n${kept.join('\n')}\n`);
    const parquet = file('kept.parquet');
    await predict({ run: out, data, out: parquet, keep: ['all'] });
    const rows = await withQuery(async (query) => ({
      types: await query(`SELECT column_name, column_type FROM (DESCRIBE FROM '${parquet}')`),
      cells: await query(`FROM '${parquet}'`),
    }));
    expect(rows.types.map(({ column_name, column_type }) => `${column_name} ${column_type}`)).toEqual([
      'row INTEGER',
      'id VARCHAR',
      'kept_Row VARCHAR',
      'smiles VARCHAR',
      'kept_carbons VARCHAR',
      'note VARCHAR',
      'carbons DOUBLE',
    ]);
    expect(rows.cells.map(({ id, kept_Row, note }) => [id, kept_Row, note])).toEqual([
      ['007', '2024-01-02', '=1+1'],
      ['010', '2024-01-03', '@x'],
      ['1_0', null, '+ab'],
    ]);
    const csv = file('kept-out.csv');
    await predict({ run: out, data, out: csv, keep: ['note', 'Row'] });
    const lines = (await readFile(csv, 'utf8')).trimEnd().split('\n');
    // Nothing of it runs where a spreadsheet opens it.
    expect(lines.map((line) => line.split(',').slice(0, -1).join())).toEqual([
      'row,id,note,kept_Row',
      "0,007,'=1+1,2024-01-02",
      "1,010,'@x,2024-01-03",
      "2,1_0,'+ab,",
    ]);
    await expect(predict({ run: out, data, out: csv, keep: ['notes'] })).rejects.toThrow(
      /no column "notes" to keep; choose among id, Row, smiles, carbons, note/,
    );
  });

  it('refuses a run that was not fine-tuned', async () => {
    const asked = predict({ run: file('run'), data: file('molecules.csv'), out: file('none.csv') });
    await expect(asked).rejects.toThrow('has learned no labels');
  });
});
