import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FinetuneOptions, UserConfig } from '../config/schema.js';
import { loadRiskMolecules } from '../demo/molecules.js';
import { load } from '../models/load.js';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';
import { embed } from './embed.js';
import { exportRun } from './export.js';
import { finetune } from './finetune.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';

let folder: string;
const file = (name: string) => join(folder, name);
let smiles: string[];
let respelled: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-open-data-'));
  const rdkit = await loadRDKit();
  const all = (await loadRiskMolecules()).map(({ smiles: text }) => text);
  const written = (text: string, options = '{}') =>
    withMolecule(rdkit, text, (molecule) => molecule.get_smiles(options));
  smiles = all.flatMap((text) => written(text) ?? []).slice(0, 60);
  respelled = smiles.map((text) => written(text, '{"doRandom":true}')!);
  const table = (texts: readonly string[]) =>
    ['smiles,length', ...texts.map((text, row) => `${text},${smiles[row].length}`), ''].join('\n');
  await writeFile(file('canonical.csv'), table(smiles));
  await writeFile(file('respelled.csv'), table(respelled));
});
afterAll(() => rm(folder, { recursive: true }));

const pretrained = (out: string, data: string, reading: UserConfig['data'] = {}) =>
  pretrain({
    data: file(data),
    out: file(out),
    config: {
      data: { columns: ['smiles'], ...reading },
      encoder: { width: 8, layers: 1, latents: 4, heads: 2 },
      training: { steps: 4, batch_size: 16, threads: 1 },
    },
  });

describe('canonical_smiles', () => {
  it('has every later file of the run read alike, and records in memory', async () => {
    expect(respelled).not.toEqual(smiles);
    await pretrained('run', 'respelled.csv', { canonical_smiles: 'smiles' });
    const embeddings = async (data: string) => {
      await embed({ run: file('run'), data: file(data), out: file('e.npy') });
      return readFile(file('e.npy'));
    };
    const own = await embeddings('respelled.csv');
    await rm(file('e.npy'));
    expect((await embeddings('canonical.csv')).equals(own)).toBe(true);
    const model = await load(file('run'));
    try {
      const [one, other] = [await model.embed([respelled[0]]), await model.embed([smiles[0]])];
      expect(one).toEqual(other);
    } finally {
      await model.dispose();
    }
    const other = embed({
      run: file('run'),
      data: file('canonical.csv'),
      out: file('e.npy'),
      config: { canonical_smiles: 'length' },
    });
    await expect(other).rejects.toThrow('the run reads the column "smiles" so, not "length"');
    const told: string[] = [];
    await exportRun(
      { run: file('run'), out: file('exported') },
      { onEvent: (event) => event.type === 'info' && told.push(event.message) },
    );
    expect(told.join()).toContain(`reads "smiles" as RDKit's canonical SMILES, so tokenize.js is left out`);
    const card = await readFile(file('exported/README.md'), 'utf8');
    expect(card).toContain("is first written as RDKit's canonical SMILES");
    expect(card).toContain(smiles.find((text) => card.includes(text))!);
  });

  it('is refused for labels of tokens, which belong to the letters of the file', async () => {
    await pretrained('tokens', 'canonical.csv');
    const labels = respelled.map((text) =>
      [...text].map((letter) => (/[a-z]/i.test(letter) ? 'A' : 'B')).join(''),
    );
    const rows = respelled.map((text, row) => `${text},${labels[row]}`);
    await writeFile(file('tokens.csv'), ['smiles,atoms', ...rows, ''].join('\n'));
    const finetuned = finetune({
      run: file('tokens'),
      data: file('tokens.csv'),
      targets: ['atoms'],
      out: file('tokens finetuned'),
      config: { canonical_smiles: 'smiles' },
    });
    await expect(finetuned).rejects.toThrow('labels of tokens belong to the letters of the file');
  });

  it('is advised where a labelled file writes otherwise, and is kept with the run that learned by it', async () => {
    await pretrained('plain', 'canonical.csv');
    const finetuned = async (out: string, config: FinetuneOptions) => {
      const told: string[] = [];
      await finetune(
        {
          run: file('plain'),
          data: file('respelled.csv'),
          targets: ['length'],
          out: file(out),
          config: { task: 'regression', steps: 4, seeds: 1, threads: 1, ...config },
        },
        { onEvent: (event) => event.type === 'warning' && told.push(event.message) },
      );
      return told.join();
    };
    const spelled = { canonical_smiles: 'smiles' };
    await expect(finetuned('strict', { ...spelled, strict: true })).rejects.toThrow(
      'are not found in canonical',
    );
    await expect(finetuned('unread', { canonical_smiles: 'length' })).rejects.toThrow('"length" is not read');
    expect(await finetuned('as written', {})).toContain('--canonical-smiles smiles reads them so');
    expect(await finetuned('finetuned', spelled)).not.toContain('--canonical-smiles');
    const predictions = async (data: string) => {
      await predict({ run: file('finetuned'), data: file(data), out: file('p.csv') });
      const text = await readFile(file('p.csv'), 'utf8');
      await rm(file('p.csv'));
      return text;
    };
    expect(await predictions('canonical.csv')).toBe(await predictions('respelled.csv'));
  });
});
