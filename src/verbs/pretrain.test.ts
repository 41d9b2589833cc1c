import { appendFileSync, cpSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { LOCK } from '../files/hold-folder.js';
import { latestCheckpoint } from '../runs/checkpoints.js';
import { readLearnedRecords } from '../runs/learned-records.js';
import { readMetrics } from '../runs/metrics-log.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { pretrain } from './pretrain.js';

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-pretrain-'));
  data = join(folder, 'molecules.csv');
  const rows = Array.from({ length: 8 }, () => molecules).flat();
  // Whether there is nitrogen; not known of the first molecule.
  const nitrogen = (smiles: string) => (smiles.includes('N') ? 'yes' : 'no');
  const lines = rows.map((smiles, i) => `${smiles},${i === 0 ? '' : nitrogen(smiles)},${smiles.length / 2}`);
  await writeFile(data, ['smiles,nitrogen,half_length', ...lines, ''].join('\n'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = async (name: string, training: UserConfig['training']) => {
  const out = join(folder, name);
  const said: string[] = [];
  const config = {
    data: { valid_fraction: 0.4, columns: ['smiles'] },
    tokenizer: { max_tokens: 40 },
    encoder: { width: 16, heads: 2, layers: 1, latents: 4 },
    training: { steps: 4, valid_steps: 2, batch_size: 8, threads: 1, ...training },
  };
  const onEvent = (event: { type: string; message?: string }) => {
    if (event.type === 'warning') said.push(event.message ?? '');
  };
  await pretrain({ data, out, config }, { onEvent });
  return { lines: await readMetrics(join(out, 'metrics.jsonl')), said };
};

describe('a run that is watched by labels', () => {
  it('tells their score at each validation and learns the same', async () => {
    const plain = await run('plain', {});
    const classes = await run('classes', { monitor_target: 'nitrogen' });
    const numbers = await run('numbers', { monitor_target: 'half_length' });
    const losses = ({ lines }: typeof plain) => lines.map(({ loss, val_loss }) => [loss, val_loss]);
    expect(losses(classes)).toEqual(losses(plain));
    expect(losses(numbers)).toEqual(losses(plain));
    // The same molecule comes eight times, so its copies are its neighbours.
    for (const step of [0, 2, 4]) {
      expect(Number(classes.lines[step].nearest_neighbor_accuracy)).toBeGreaterThan(0.5);
      expect(Number(classes.lines[step].nearest_neighbor_accuracy)).toBeLessThanOrEqual(1);
      expect(Number(numbers.lines[step].nearest_neighbor_r2)).toBeLessThanOrEqual(1);
      expect(plain.lines[step]).not.toHaveProperty('nearest_neighbor_accuracy');
    }
    expect(classes.lines[1]).not.toHaveProperty('nearest_neighbor_accuracy');
    expect(plain.said).toEqual([]);
  });

  it('refuses a column that it would learn from, before it writes anything', async () => {
    const out = join(folder, 'refused');
    const config: UserConfig = {
      data: { columns: ['nitrogen', 'half_length'] },
      training: { monitor_target: 'nitrogen' },
    };
    await expect(pretrain({ data, out, config })).rejects.toThrow(
      'column "nitrogen", to monitor by, would be learned from',
    );
    await expect(readdir(out)).rejects.toThrow('ENOENT');
  });
});

describe('a learning rate that suits no run', () => {
  it('is warned of at the start', async () => {
    const { said } = await run('high', { learning_rate: 0.5 });
    expect(said[0]).toContain('learning rate 0.5 is high for AdamW');
  });
});

describe('a run that is learned from block by block', () => {
  it('tells all that it learned from, killed in whichever pass, once it is resumed', async () => {
    // Words of seven nucleotides, so many that the file is read in several batches.
    const words = Array.from({ length: 9000 }, (_, i) =>
      (4 ** 7 + i)
        .toString(4)
        .slice(1)
        .replaceAll(/./g, (digit) => 'ACGT'[Number(digit)]),
    );
    const path = join(folder, 'words.txt');
    await writeFile(path, words.join('\n'));
    const out = join(folder, 'blocks');
    const copies: { epoch: number; copy: string }[] = [];
    const told: string[] = [];
    const common = { data: path, blockValues: 12000 };
    const { epoch, rows } = await pretrain(
      {
        ...common,
        out,
        config: {
          data: { valid_fraction: 0.2 },
          encoder: { width: 8, heads: 2, layers: 1, latents: 2 },
          training: { steps: 120, valid_steps: 500, checkpoint_steps: 1, batch_size: 128, threads: 1 },
        },
      },
      {
        onEvent(event) {
          if (event.type === 'info') told.push(event.message);
          // What a killed process would leave.
          if (event.type !== 'step' || ![20, 90, 119].includes(event.step)) return;
          const copy = join(folder, `killed after step ${event.step}`);
          // The lock is of this process, which is not killed.
          cpSync(out, copy, { recursive: true, filter: (path) => !path.endsWith(LOCK) });
          copies.push({ epoch: event.epoch, copy });
        },
      },
    );
    expect([...copies.map((copied) => copied.epoch), epoch]).toEqual([0, 1, 2, 2]);
    const learned = await readLearnedRecords(out);
    expect(told.join()).toContain(`on at least ${rows} records`);
    // More than the first two blocks, which are read before the first step.
    expect(learned!.hashes.size).toBeGreaterThan(rows);
    for (const { copy } of copies) {
      await pretrain({ ...common, out: copy, resume: true });
      expect((await readLearnedRecords(copy))!.hashes.size, copy).toBe(learned!.hashes.size);
    }
  });
});

describe('a file that is changed while a run streams it', () => {
  it('is refused with the step, and what was learned before it is kept', async () => {
    const path = join(folder, 'growing.csv');
    // A bad line, since a small file without one is read once and remembered.
    await writeFile(path, ['smiles', ...Array(5).fill(molecules).flat(), '"', ''].join('\n'));
    const out = join(folder, 'growing');
    const config: UserConfig = {
      data: { valid_fraction: 0.2, test_fraction: 0, on_bad_record: 'skip' },
      tokenizer: { kind: 'sequence', max_tokens: 40 },
      encoder: { width: 16, heads: 2, layers: 1 },
      training: { steps: 500, batch_size: 8, threads: 1, log_steps: 1 },
    };
    const onEvent = (event: { type: string; step?: number }) => {
      if (event.type === 'step' && event.step === 3) appendFileSync(path, 'CCO\n');
    };
    const running = pretrain({ data: path, out, config, blockValues: 200 }, { onEvent });
    await expect(running).rejects.toThrow(
      /^step \d+: .*growing\.csv: was changed since it was opened; .* is kept in /,
    );
    const kept = await latestCheckpoint(out);
    expect(kept?.step).toBe((await readMetrics(join(out, 'metrics.jsonl'))).at(-1)?.step);
    expect(await readdir(out)).not.toContain('DONE');
  });
});

describe('an objective that compares records', () => {
  it.each([
    ['batches of one', 'simclr', 1, 60],
    ['one record to learn from', 'g-simclr', 8, 2],
  ] as const)(
    'is refused for %s, of which the loss is 0 whatever is learned',
    async (_, kind, batch_size, records) => {
      const path = join(folder, `few ${kind}.csv`);
      const lines = Array.from(
        { length: records },
        (_, i) => `${molecules[i % 8]},${i % 2 ? 'valid' : 'train'}`,
      );
      await writeFile(path, ['smiles,split', ...lines, ''].join('\n'));
      const config: UserConfig = { objective: { kind }, training: { steps: 2, batch_size, threads: 1 } };
      const out = join(folder, `few ${kind}`);
      await expect(pretrain({ data: path, out, config })).rejects.toThrow(
        `${kind}: compares the records of a batch, so it needs 2 of them`,
      );
      expect(await readdir(folder)).not.toContain(`few ${kind}`);
    },
  );
});
