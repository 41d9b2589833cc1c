/** The library as a user has it: by the package's own name, built, with the work in a worker thread. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as lacuna from 'lacuna';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { molecules } from '../src/tokenizers/real-records.case.js';

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-library-'));
  const lines = Array.from({ length: 4 }, () => molecules).flat();
  await writeFile(file('molecules.csv'), `smiles\n${lines.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = {
  data: { valid_fraction: 0.2 },
  encoder: { width: 16, layers: 1, latents: 4, heads: 2 },
  training: { steps: 200, batch_size: 8, threads: 1 },
};

describe('a verb in its worker', () => {
  it('tells of its progress while the caller stays responsive, and stops with a checkpoint when asked', async () => {
    const controller = new AbortController();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const steps: number[] = [];
    const summary = await lacuna.pretrain(
      { data: file('molecules.csv'), out: file('run'), config },
      {
        signal: controller.signal,
        onEvent(event) {
          if (event.type !== 'step') return;
          steps.push(event.step);
          if (event.step === 5) controller.abort();
        },
      },
    );
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
    expect(steps.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(summary.interrupted).toBe(true);
    expect(summary.step).toBeLessThan(200);
    expect(await readdir(file('run/checkpoints'))).toHaveLength(1);
    const resumed = await lacuna.pretrain({
      data: file('molecules.csv'),
      out: file('run'),
      config,
      resume: true,
    });
    expect(resumed).toMatchObject({ interrupted: false, step: 200 });
  });

  it('needs no options where it has none', async () => {
    const suites = await lacuna.benchmarks();
    expect(suites.map(({ name }) => name)).toContain('moleculenet');
  });

  it('throws the errors of the library, not copies that have lost their class', async () => {
    const missing = lacuna.inspect({ data: file('nothing.csv') });
    await expect(missing).rejects.toBeInstanceOf(lacuna.InputError);
    await expect(missing).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe('the demo', () => {
  it('writes one page that needs nothing else, and a table with every method', async () => {
    const { report, scores, conclusion } = await lacuna.demo({ out: file('demo'), seed: 1, quick: true });
    expect(scores.map(({ method, perSeed }) => [method, perSeed.length])).toEqual([
      ['sma', 2],
      ['random-masking', 2],
      ['untrained', 2],
    ]);
    const page = await readFile(report, 'utf8');
    expect(page).not.toMatch(/(?:src|href)="(?!#|data:)|@import|url\(/);
    for (const line of conclusion.split('\n')) expect(page).toContain(line.slice(0, 30));
    expect(page.match(/<svg/g)!.length).toBeGreaterThan(8);
  });
});

describe('options that are wrong', () => {
  it('are named with their key, from plain JavaScript too', async () => {
    const wrong: object = { training: { stepz: 3 } };
    const asked = lacuna.pretrain({ data: file('molecules.csv'), out: file('wrong'), config: wrong });
    await expect(asked).rejects.toThrow(/training\.stepz: unknown key; did you mean training\.steps\?/);
    const misplaced: object = { training: { steps: 5 } };
    const tuned = lacuna.finetune({
      run: file('run'),
      data: file('molecules.csv'),
      targets: ['smiles'],
      out: file('wrong-too'),
      config: misplaced,
    });
    await expect(tuned).rejects.toThrow(/finetune\.training: unknown key/);
  });
});
