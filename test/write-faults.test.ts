/** Each write of a run is failed in turn, as a full disk or a failing one would; the folder stays one to go on with. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { UserConfig } from '../src/config/schema.js';
import { latestCheckpoint } from '../src/runs/checkpoints.js';
import { readMetrics } from '../src/runs/metrics-log.js';
import { molecules } from '../src/tokenizers/real-records.case.js';
import { embed } from '../src/verbs/embed.js';
import { exportRun } from '../src/verbs/export.js';
import { pretrain } from '../src/verbs/pretrain.js';
import { failInTurn } from './failing-writes.js';

vi.mock('node:fs/promises', async (original) =>
  (await import('./failing-writes.js')).failingPromises(await original()),
);
vi.mock('node:fs', async (original) => (await import('./failing-writes.js')).failingFs(await original()));

let folder: string;
let data: string;
let whole: string;

const config = {
  data: { columns: ['smiles'], valid_fraction: 0.2, test_fraction: 0 },
  encoder: { kind: 'transformer', width: 8, layers: 1, heads: 1 },
  objective: { kind: 'random-masking' },
  training: {
    steps: 4,
    batch_size: 4,
    checkpoint_steps: 2,
    valid_steps: 4,
    log_steps: 1,
    threads: 1,
    seed: 1,
  },
} satisfies UserConfig;
const run = (out: string, resume = false) => pretrain({ data, out, config, resume });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-faults-'));
  data = join(folder, 'molecules.csv');
  await writeFile(data, `smiles,y\n${molecules.map((text, i) => `${text},${i % 2}`).join('\n')}\n`);
  whole = join(folder, 'whole');
  await run(whole);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every second call for a fault that passes, and every fourth for one that stays. */
const inTurn = (
  out: string,
  stays: boolean,
  act: () => Promise<unknown>,
  after: (at: number) => Promise<unknown>,
) =>
  failInTurn(out, { stays, every: stays ? 4 : 2 }, act, after, () =>
    rm(out, { recursive: true, force: true }),
  );

const newest = async (out: string) => readFile((await latestCheckpoint(out))!.path);
const filesOf = (out: string) => readdir(out, { recursive: true }).catch(() => [] as string[]);

describe.each([{ stays: false }, { stays: true }])('a fault that stays: $stays', ({ stays }) => {
  it('at any write of a pretraining leaves a run that goes on as if it had not been', async () => {
    const out = join(folder, 'faulty');
    const faults = await inTurn(
      out,
      stays,
      () => run(out),
      async (at) => {
        const left = await filesOf(out);
        expect(left.filter((name) => name.endsWith('.partial') || name === 'LOCK')).toEqual([]);
        const checkpoint = left.some((name) => /step-.*safetensors$/.test(name));
        if (checkpoint) expect((await latestCheckpoint(out))?.step).toBeGreaterThan(0);
        if (left.includes('metrics.jsonl')) await readMetrics(join(out, 'metrics.jsonl'));
        // To go on takes as long as to begin: it is tried for some.
        if (at % 4 !== 1) return;
        await run(out, true);
        expect(await newest(out)).toEqual(await newest(whole));
        expect(await readdir(out)).toContain('DONE');
      },
    );
    expect(faults).toBeGreaterThan(50);
  });

  it.each(['csv', 'npy'])('at any write of embeddings as %s keeps the old file', async (format) => {
    const out = join(folder, 'outputs');
    const path = join(out, `embeddings.${format}`);
    const act = () => embed({ run: whole, data, out: path });
    const faults = await inTurn(out, stays, act, async () => {
      expect((await filesOf(out)).filter((name) => name.endsWith('.partial'))).toEqual([]);
    });
    expect(faults).toBeGreaterThan(4);
  });

  it('at any write of an export leaves no folder', async () => {
    const out = join(folder, 'exported');
    const faults = await inTurn(
      out,
      stays,
      () => exportRun({ run: whole, out }),
      async () => {
        expect((await readdir(folder)).filter((name) => name.includes('.partial'))).toEqual([]);
      },
    );
    expect(faults).toBeGreaterThan(20);
  });
});
