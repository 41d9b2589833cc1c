/** The same for what learns labels: `finetune`, `fit` and `bench`, of whose many calls some are failed. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runSuite } from '../src/benchmark/bench.js';
import { given } from '../src/benchmark/files.js';
import { constant, linearOnValues } from '../src/benchmark/methods/simple.js';
import type { Suite } from '../src/benchmark/suite.js';
import type { Scores } from '../src/runs/scores.js';
import { molecules } from '../src/tokenizers/real-records.case.js';
import { finetune } from '../src/verbs/finetune.js';
import { fit as fitVerb } from '../src/verbs/fit.js';
import { pretrain } from '../src/verbs/pretrain.js';
import { verify } from '../src/verbs/verify.js';
import { failInTurn } from './failing-writes.js';

vi.mock('node:fs/promises', async (original) =>
  (await import('./failing-writes.js')).failingPromises(await original()),
);
vi.mock('node:fs', async (original) => (await import('./failing-writes.js')).failingFs(await original()));

let folder: string;
const at = (name: string) => join(folder, name);
const encoder = { kind: 'transformer', width: 8, layers: 1, heads: 1 } as const;
const training = { steps: 2, batch_size: 4, valid_steps: 2, threads: 1 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-labelled-faults-'));
  const parts = ['train', 'valid', 'test'];
  const lines = molecules.map((text, i) => `${text},${text.length + (i % 7) / 10},${parts[i % 3]}`);
  await writeFile(at('molecules.csv'), `smiles,y,split\n${lines.join('\n')}\n`);
  const config = { data: { columns: ['smiles'] }, encoder, objective: { kind: 'random-masking' }, training };
  await pretrain({ data: at('molecules.csv'), out: at('run'), config } as Parameters<typeof pretrain>[0]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** No half file and no lock is left. */
async function isTidy(out: string): Promise<string[]> {
  const left = await readdir(out, { recursive: true }).catch(() => [] as string[]);
  expect(left.filter((name) => name.endsWith('.partial') || name.endsWith('LOCK'))).toEqual([]);
  return left;
}

const clear = (out: string) => () => rm(out, { recursive: true, force: true });

describe('a disk that fails', () => {
  it.each([false, true])('under a fine-tuning leaves one to go on with; it stays: %s', async (stays) => {
    const of = (out: string, resume = false) =>
      finetune({
        run: at('run'),
        data: at('molecules.csv'),
        targets: ['y'],
        out,
        resume,
        config: { steps: 2, seeds: 2, batch_size: 4, threads: 1, from_scratch: true },
      });
    const learned = ({ methods }: Scores) => methods.map(({ perSeed }) => perSeed);
    const whole = learned(await of(at(`whole ${stays}`)));
    const out = at('tuned');
    const calls = await failInTurn(
      out,
      { stays, every: stays ? 11 : 5 },
      () => of(out),
      async () => {
        const left = await isTidy(out);
        // What failed may be the removal of what is not needed any more.
        if (!left.includes('scores.json')) expect(learned(await of(out, true))).toEqual(whole);
        expect((await verify({ folder: out, data: at('molecules.csv') })).passed).toBe(true);
      },
      clear(out),
    );
    expect(calls).toBeGreaterThan(50);
  });

  it('under a fit leaves one to go on with', async () => {
    const of = (out: string, resume = false) =>
      fitVerb({
        data: at('molecules.csv'),
        targets: ['y'],
        out,
        resume,
        config: { fit: { folds: 2 } },
      });
    const learned = ({ rows }: Awaited<ReturnType<typeof of>>) => rows.map(({ name, test }) => [name, test]);
    const whole = learned(await of(at('whole fit')));
    const out = at('fitted');
    await failInTurn(
      out,
      { stays: false, every: 29 },
      () => of(out),
      async () => {
        const left = await isTidy(out);
        if (!left.includes('fit.json')) expect(learned(await of(out, true))).toEqual(whole);
        expect((await verify({ folder: out })).passed).toBe(true);
      },
      clear(out),
    );
  });

  it('under a benchmark leaves one that the same command goes on with', async () => {
    const suite: Suite = {
      name: 'lengths',
      title: 'Lengths',
      tasks: [
        {
          name: 'y',
          title: 'Length',
          dataset: given('molecules', 'molecules.csv'),
          targets: ['y'],
          task: 'regression',
          metric: 'rmse',
          splitColumn: 'split',
          split: 'every third',
          source: 'a list',
          pretraining: {
            dataset: given('molecules', 'molecules.csv'),
            config: { data: { columns: ['smiles'] }, encoder, training },
          },
          finetuning: { steps: 2, batchSize: 4, choices: [{ learningRate: 1e-3, layerDecay: 1 }] },
          seeds: 1,
          methods: [constant, linearOnValues],
        },
      ],
    };
    const out = at('bench');
    const of = () => runSuite(suite, { data: folder, out, threads: 1 });
    const scores = async () =>
      JSON.parse(await readFile(join(out, 'lengths.json'), 'utf8')).cells.map(
        ({ test }: { test: number }) => test,
      );
    await of();
    const whole = await scores();
    await clear(out)();
    const calls = await failInTurn(
      out,
      { stays: false, every: 3 },
      of,
      async () => {
        await isTidy(out);
        await of();
        expect(await scores()).toEqual(whole);
        expect((await verify({ folder: out })).passed).toBe(true);
      },
      clear(out),
    );
    expect(calls).toBeGreaterThan(20);
  });
});
