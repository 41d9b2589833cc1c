import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRiskMolecules } from '../demo/molecules.js';
import { loadCheckpoint } from '../runs/checkpoints.js';
import type { Scores } from '../runs/scores.js';
import { finetune } from './finetune.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';

let folder: string;
const file = (name: string) => join(folder, name);
const config = { steps: 20, batch_size: 8, seeds: 1, threads: 1, shots: [6], metric: 'accuracy' };
let runs = 0;
const start = (options: object, out = `tuned-${runs++}`, target = 'halogen') => ({
  run: file('run'),
  data: file('molecules.csv'),
  targets: [target],
  out: file(out),
  config: { ...config, ...options },
});
const values = ({ methods }: Scores) => methods.map(({ perSeed }) => perSeed);
const checkpointOf = async (out: string) => {
  const names = await readdir(join(file(out), 'checkpoints'));
  return loadCheckpoint(join(file(out), 'checkpoints', names.sort().at(-1)!));
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-few-labels-'));
  const molecules = (await loadRiskMolecules())
    .filter(({ smiles }) => /^[CcNnOoSFl()=123]+$/.test(smiles))
    .filter((_, i) => i % 10 === 0);
  const parts = ['train', 'train', 'train', 'valid', 'test'];
  const lines = molecules.map(({ smiles, mutagenic }, row) => {
    const halogen = smiles.includes('Cl') ? 'chlorine' : smiles.includes('F') ? 'fluorine' : 'none';
    return [smiles, parts[row % parts.length], halogen, smiles.length, mutagenic].join(',');
  });
  await writeFile(file('molecules.csv'), ['smiles,split,halogen,letters,mutagenic', ...lines, ''].join('\n'));
  await pretrain({
    data: file('molecules.csv'),
    out: file('run'),
    config: {
      encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
      training: { steps: 20, batch_size: 16, threads: 1 },
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ways = {
  frozen: { tuning: 'frozen' },
  norms: { tuning: 'norms' },
  lora: { tuning: 'lora', lora_rank: 2 },
  reprogramming: { tuning: 'reprogramming', dictionary_entries: 3 },
  projection: { tuning: 'projection', head: 'attention' },
  mixup: { regularizer: 'mixup' },
  'core-tuning': { regularizer: 'core-tuning' },
  look: { regularizer: 'look' },
  'pseudo-labels': { self_training: 'pseudo-labels' },
  'mean-teacher': { self_training: 'mean-teacher' },
  future: { self_training: 'future' },
  'soup of all at once': {
    soup: 'greedy',
    ingredients: 2,
    self_training: 'pseudo-labels',
    tuning: 'lora',
    regularizer: 'mixup',
    dropout: 0.1,
  },
};

describe.each(Object.entries(ways))('fine-tuning by %s', (name, options) => {
  it('goes on to the same bits wherever it was stopped, and leaves an ordinary run that predicts', async () => {
    const whole = await finetune(start(options, `${name} whole`));
    let stops = 0;
    for (;;) {
      const stop = new AbortController();
      let own = 0;
      const scores = await finetune(
        { ...start(options, `${name} stopped`), resume: true },
        {
          signal: stop.signal,
          onEvent: ({ type }) => type === 'step' && ++own === 17 && stop.abort(new Error('stopped')),
        },
      ).catch((error: Error) => {
        expect(error.message).toBe('stopped');
      });
      if (scores) {
        expect(values(scores)).toEqual(values(whole));
        break;
      }
      stops++;
    }
    expect(stops).toBeGreaterThan(1);
    const [own, other] = [await checkpointOf(`${name} whole`), await checkpointOf(`${name} stopped`)];
    expect(own.tensors).toEqual(other.tensors);
    expect(Object.keys(own.tensors).filter((tensor) => !/^(embedding|encoder|head)\./.test(tensor))).toEqual(
      [],
    );

    const out = file(`${name}.csv`);
    await predict({ run: file(`${name} whole`), data: file('molecules.csv'), out });
    const [, ...predicted] = (await readFile(out, 'utf8')).trim().split('\n');
    const [, ...lines] = (await readFile(file('molecules.csv'), 'utf8')).trim().split('\n');
    const test = lines.flatMap((line, i) => {
      const [, part, halogen] = line.split(',');
      return part === 'test' ? [Number(predicted[i].split(',')[1] === halogen)] : [];
    });
    const accuracy = test.reduce((sum, right) => sum + right, 0) / test.length;
    expect(accuracy).toBeCloseTo(whole.methods[0].perSeed[0], 12);
  });
});

it('labels records that are longer than any with a label', async () => {
  // A molecule for each number, of seven atoms or as many times more.
  const atoms = (i: number) => (64 + i).toString(2).replaceAll('1', 'C').replaceAll('0', 'N');
  const short = Array.from({ length: 60 }, (_, i) => `${atoms(i)},${i % 2}`);
  const long = Array.from({ length: 20 }, (_, i) => `${atoms(i).repeat(4)},`);
  const data = file('lengths.csv');
  await writeFile(data, ['smiles,odd', ...short, ...long, ''].join('\n'));
  for (const self_training of ['pseudo-labels', 'mean-teacher'] as const) {
    const options = start({ self_training, shots: undefined, steps: 4 }, `longer ${self_training}`, 'odd');
    const { methods } = await finetune({ ...options, data });
    expect(methods[0].perSeed).toHaveLength(1);
  }
});

describe('what an encoder keeps', () => {
  const tensorsOf = async (folder: string) => (await checkpointOf(folder)).tensors;
  const moved = async (options: object) => {
    const out = `kept-${runs++}`;
    await finetune(start(options, out));
    const [before, after] = [await tensorsOf('run'), await tensorsOf(out)];
    return Object.keys(after)
      .filter((name) => !name.startsWith('head.') && `${after[name].data}` !== `${before[name].data}`)
      .sort();
  };

  it('is all of it when frozen, all but norms and biases, or all but linear layers', async () => {
    expect(await moved({ tuning: 'frozen' })).toEqual([]);
    const norms = await moved({ tuning: 'norms' });
    expect(norms.length).toBeGreaterThan(3);
    for (const name of norms) expect(name).toMatch(/norm\.(scale|bias)$/);
    const lora = await moved({ tuning: 'lora' });
    expect(lora).toHaveLength(6);
    for (const name of lora) expect(name).toMatch(/^encoder\..*(weight)$/);
  });
});

describe('a soup', () => {
  it('of trainings begins with the one that is had without it', async () => {
    const [plain, soup] = [
      await finetune(start({})),
      await finetune(start({ soup: 'greedy', ingredients: 3 })),
    ];
    expect(soup.methods[0].validPerSeed![0]).toBeGreaterThanOrEqual(plain.methods[0].validPerSeed![0]);
  });
});

describe('an option without a meaning is refused in one line', () => {
  it.each([
    [
      { regularizer: 'look' },
      'letters',
      'finetune.regularizer: look is for binary, multiclass, and this task is regression',
    ],
    [{ lora_rank: 4 }, 'halogen', 'finetune.lora_rank: has no meaning with tuning full'],
    [
      { regularizer: 'mixup', look_neighbors: 4 },
      'halogen',
      'finetune.look_neighbors: has no meaning with regularizer mixup',
    ],
    [{ mixup_alpha: 1 }, 'halogen', 'finetune.mixup_alpha: has no meaning with regularizer none'],
    [{ ingredients: 3 }, 'halogen', 'finetune.ingredients: are those of a soup'],
    [{ unlabelled_weight: 1 }, 'halogen', 'finetune.unlabelled_weight: is for records that a teacher labels'],
    [
      { self_training: 'future', shots: undefined },
      'halogen',
      'expected records without a label, and all of them have one',
    ],
    [{ self_training: 'future', shots: [5000] }, 'halogen', 'takes every training label'],
    [{ self_training: 'pseudo-labels', tuning: 'frozen' }, 'halogen', 'which tuning frozen does not move'],
    [{ self_training: 'future', regularizer: 'look' }, 'halogen', 'look contrasts records by true labels'],
    [{ tuning: 'lora', lora_rank: 99 }, 'halogen', 'finetune.lora_rank: expected at most'],
  ])('%j of %s', async (options, target, message) => {
    const metric = target === 'letters' ? 'rmse' : 'accuracy';
    const tried = finetune(start({ metric, ...options }, undefined, target));
    await expect(tried).rejects.toThrow(message);
    await tried.catch((error: Error) => expect(error.message).not.toContain('\n'));
  });
});
