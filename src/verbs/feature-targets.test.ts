import { cpSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { LOCK } from '../files/hold-folder.js';
import { loadCheckpoint } from '../runs/checkpoints.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { embed } from './embed.js';
import { pretrain } from './pretrain.js';
import { verify } from './verify.js';

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-features-'));
  const chains = molecules.flatMap((smiles) => ['', 'C', 'CC', 'CO'].map((start) => start + smiles));
  await writeFile(file('molecules.smi'), [...new Set(chains)].join('\n'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (training: UserConfig['training'] = { feature_targets: 'descriptors' }): UserConfig => ({
  data: { valid_fraction: 0.2 },
  encoder: { width: 8, heads: 2, layers: 1, latents: 2 },
  training: { steps: 24, checkpoint_steps: 5, valid_steps: 100, batch_size: 8, threads: 1, ...training },
});

async function parameters(out: string): Promise<Record<string, unknown>> {
  const names = (await readdir(join(out, 'checkpoints'))).sort();
  return (await loadCheckpoint(join(out, 'checkpoints', names.at(-1)!))).tensors;
}

it.each([
  ['in memory', undefined],
  ['block by block', 900],
])(
  'a run that predicts features, %s, goes on as if it had not stopped, and is a run like any other',
  async (name, blockValues) => {
    const data = file('molecules.smi');
    const [whole, killed] = ['whole', 'killed'].map((kind) => file(`${kind} ${name}`));
    const told: string[] = [];
    await pretrain(
      { data, out: whole, blockValues, config: config() },
      {
        onEvent: (event) => {
          if (event.type === 'info') told.push(event.message);
          // The lock is of this process, which is not killed.
          if (event.type === 'step' && event.step === 18)
            cpSync(whole, killed, { recursive: true, filter: (path) => !path.endsWith(LOCK) });
        },
      },
    );
    expect(told.join('\n')).toMatch(/predicted of each record, too: descriptors, \d+ of 360 columns/);
    await pretrain({ data, out: killed, blockValues, resume: true });
    expect(await parameters(killed)).toEqual(await parameters(whole));
    expect(Object.keys(await parameters(whole))).toContain('features.output.weight');
    const lines = (await readFile(join(whole, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const steps = lines.map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined);
    expect(steps.map(({ feature_loss }) => feature_loss)).toEqual(steps.map(() => expect.any(Number)));
    const summary = await embed({ run: whole, data, out: file('e.csv') });
    expect(summary).toMatchObject({ dimension: 8, rejected: 0 });
    expect((await verify({ folder: whole })).passed).toBe(true);
    const from = { feature_targets: 'fingerprints', from: whole, feature_weight: 2 };
    const further = { ...config(from), encoder: undefined };
    await pretrain({ data, out: file(`further ${name}`), config: further });
  },
);

it('a weight without features is refused', async () => {
  const asked = pretrain({
    data: file('molecules.smi'),
    out: file('none'),
    config: config({ feature_weight: 2 }),
  });
  await expect(asked).rejects.toThrow(
    'training.feature_weight: weighs the loss of features, and none are predicted',
  );
  expect(await readdir(folder)).not.toContain('none');
});
