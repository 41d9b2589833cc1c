import { cpSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { LOCK } from '../files/hold-folder.js';
import { loadCheckpoint } from '../runs/checkpoints.js';
import { readLearnedRecords } from '../runs/learned-records.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { pretrain } from './pretrain.js';

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-randomized-'));
  const chains = molecules.flatMap((smiles) => ['', 'C', 'CC', 'CO'].map((start) => start + smiles));
  await writeFile(file('molecules.smi'), [...new Set(chains)].join('\n'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (randomize_smiles?: true): UserConfig => ({
  data: { valid_fraction: 0.2 },
  encoder: { width: 8, heads: 2, layers: 1, latents: 2 },
  training: { steps: 24, checkpoint_steps: 5, valid_steps: 100, batch_size: 8, threads: 1, randomize_smiles },
});

async function parameters(out: string): Promise<unknown> {
  const names = (await readdir(join(out, 'checkpoints'))).sort();
  return (await loadCheckpoint(join(out, 'checkpoints', names.at(-1)!))).tensors;
}

describe.each([
  ['in memory', undefined],
  ['block by block', 900],
])('pretraining on other SMILES in each epoch, %s', (name, blockValues) => {
  it('goes on from a checkpoint as if nothing had been, and learns from the records of the file', async () => {
    const data = file('molecules.smi');
    const [plain, whole, killed] = ['plain', 'whole', 'killed'].map((kind) => file(`${kind} ${name}`));
    const { epoch } = await pretrain(
      { data, out: whole, blockValues, config: config(true) },
      {
        onEvent: (event) => {
          // The lock is of this process, which is not killed.
          if (event.type === 'step' && event.step === 18)
            cpSync(whole, killed, { recursive: true, filter: (path) => !path.endsWith(LOCK) });
        },
      },
    );
    expect(epoch).toBeGreaterThan(0);
    await pretrain({ data, out: killed, blockValues, resume: true });
    expect(await parameters(killed)).toEqual(await parameters(whole));
    await pretrain({ data, out: plain, blockValues, config: config() });
    expect(await parameters(plain)).not.toEqual(await parameters(whole));
    expect(await readLearnedRecords(whole)).toEqual(await readLearnedRecords(plain));
  });
});

it('is refused where no SMILES are read, or records are grouped by their text', async () => {
  await writeFile(
    file('table.csv'),
    `a,b\n${Array.from({ length: 60 }, (_, i) => `${i / 7},${i % 7}`).join('\n')}\n`,
  );
  await expect(
    pretrain({ data: file('table.csv'), out: file('table'), config: config(true) }),
  ).rejects.toThrow(/training\.randomize_smiles: needs a run that reads molecules as SMILES text/);
  await expect(
    pretrain({
      data: file('molecules.smi'),
      out: file('grouped'),
      config: { ...config(true), objective: { kind: 'g-simclr' } },
    }),
  ).rejects.toThrow(/g-simclr groups the training records once/);
  const words = Array.from({ length: 60 }, (_, i) => `word${i}`);
  await writeFile(file('words.csv'), ['text', ...words, ''].join('\n'));
  await expect(
    pretrain({
      data: file('words.csv'),
      out: file('words'),
      config: { ...config(true), tokenizer: { kind: 'sequence' } },
    }),
  ).rejects.toThrow('RDKit reads none of 60 texts');
  expect(await readdir(folder)).not.toContain('words');
});

it('takes letters that only another writing has for no fault of the file', async () => {
  const chains = Array.from({ length: 60 }, (_, i) => `${'C'.repeat(3 + (i % 9))}${['O', 'N', ''][i % 3]}C`);
  await writeFile(file('chains.csv'), ['smiles', ...chains, ''].join('\n'));
  const first = {
    data: file('chains.csv'),
    out: file('chains'),
    config: { ...config(), tokenizer: { kind: 'sequence' } },
  } as const;
  await pretrain(first);
  const { rejected } = await pretrain({
    data: file('chains.csv'),
    out: file('further'),
    config: {
      data: { on_unknown: 'fail', valid_fraction: 0.2 },
      training: { ...config(true).training, from: file('chains') },
    },
  });
  expect(rejected).toBe(0);
});
