import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { pretrain } from './pretrain.js';
import { trajectories } from './trajectories.js';

let folder: string;
let data: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-trajectories-'));
  data = at('molecules.csv');
  const rows = [...molecules, ...molecules].map((smiles, i) => `${smiles},${i % 7}`);
  await writeFile(data, `smiles,mass\n${rows.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = async (name: string, { training, ...more }: UserConfig = {}) => {
  const config = {
    data: { columns: ['smiles'] },
    encoder: { kind: 'transformer', width: 8, heads: 2, layers: 1 },
    objective: { kind: 'random-masking' },
    ...more,
    training: { steps: 24, batch_size: 8, threads: 1, checkpoint_steps: 4, learning_rate: 0.01, ...training },
  } as UserConfig;
  await pretrain({ data, out: at(name), config });
  return at(name);
};

describe('trajectories', () => {
  it('tells of every kept checkpoint what its hidden tokens cost, and which fall', async () => {
    const kept = await run('kept', { training: { kept_checkpoints: 10 } });
    const found = await trajectories({ run: kept, data, out: at('page.html'), limit: 6 });
    expect(found.steps).toEqual([4, 8, 12, 16, 20, 24]);
    expect(found.records).toBe(6);
    const { falls, still, rises } = found.trends;
    expect(falls.share + still.share + rises.share).toBeCloseTo(1, 10);
    for (const [i, error] of found.errors.entries()) {
      const weighted = Object.values(found.trends).map(({ share, errors }) =>
        share > 0 ? share * errors[i] : 0,
      );
      expect(weighted.reduce((a, b) => a + b)).toBeCloseTo(error, 4);
    }
    expect(found.errors[5]).toBeLessThan(found.errors[0]);
    expect(falls.share).toBeGreaterThan(rises.share);
    const carbon = found.kinds.find(({ token }) => token === 'C')!;
    expect(carbon.errors).toHaveLength(6);
    expect(found.steps).toContain(carbon.learned);
    const page = await readFile(at('page.html'), 'utf8');
    expect(page).toContain('<svg');
    expect(page).toContain('How kept learned molecules.csv');
  });

  it('is of columns where records are cells', async () => {
    const kept = await run('cells', {
      data: { columns: ['smiles', 'mass'] },
      training: { kept_checkpoints: 10 },
    });
    const { kinds } = await trajectories({ run: kept, data, out: at('cells.html') });
    expect(kinds.map(({ token }) => token)).toContain('mass');
  });

  it('refuses a run with too few checkpoints, one that predicts no tokens, and what is no page', async () => {
    const few = await run('few');
    const out = at('few.html');
    await expect(trajectories({ run: few, data, out })).rejects.toThrow(
      'has 2 checkpoints, and a course needs at least 4; pretrain with --kept-checkpoints 20',
    );
    const byol = await run('byol', { objective: { kind: 'byol' }, training: { kept_checkpoints: 9 } });
    await expect(trajectories({ run: byol, data, out })).rejects.toThrow(
      'does not predict hidden tokens (its objective is byol)',
    );
    await expect(trajectories({ run: few, data, out: at('few.csv') })).rejects.toThrow('the page is HTML');
  });
});
