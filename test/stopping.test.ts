import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../src/tensor/random.js';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-stopping-'));
  data = join(folder, 'proteins.csv');
  const { integer } = random(1, 'letters');
  const text = () => Array.from({ length: 150 }, () => 'ACDEFGHIKLMNPQRSTVWY'[integer(20)]).join('');
  const lines = Array.from({ length: 1500 }, (_, i) => `${text()},${i % 7}`);
  await writeFile(data, `sequence,y\n${lines.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Steps that take long beside what a signal takes. */
const model = ['--width', '128', '--layers', '3', '--latents', '48', '--batch-size', '48', '--threads', '1'];

const start = (...args: string[]): ChildProcess & { said: string } => {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const told = Object.assign(child, { said: '' });
  child.stderr?.on('data', (chunk) => {
    told.said += chunk;
  });
  return told;
};

const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));

async function until(child: ChildProcess, holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('ended too early');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const pretrain = async (out: string) => {
  const child = start(
    'pretrain',
    data,
    '--ignore',
    'y',
    '--out',
    out,
    '--steps',
    '9999',
    '--log-steps',
    '1',
    ...model,
  );
  const lines = async () => (await readFile(join(out, 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n');
  const done = ended(child);
  await until(child, async () => (await lines()).length > 3);
  return { child, done };
};

describe('a run that is told to stop', () => {
  // A shell calls death by SIGINT 130. It was SIGABRT, from native code that was broken off, when the step was over.
  it('ends by the second signal itself, in the middle of a step', async () => {
    for (let i = 0; i < 4; i++) {
      const out = join(folder, `twice ${i}`);
      const { child, done } = await pretrain(out);
      child.kill('SIGINT');
      await until(child, () => child.said.includes('press Ctrl-C again'));
      child.kill('SIGINT');
      expect(await done).toBe('SIGINT');
      expect(child.said).not.toContain('terminate called');
    }
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s leaves a checkpoint', async (signal) => {
    const out = join(folder, signal);
    const { child, done } = await pretrain(out);
    child.kill(signal);
    expect(await done).toBe(130);
    expect(await readdir(join(out, 'checkpoints'))).toHaveLength(1);
    expect(child.said).toContain('resume with: ');
    expect(existsSync(join(out, 'LOCK'))).toBe(false);
  });

  it('leaves nothing half-written where it has nothing to keep', async () => {
    const run = join(folder, 'run');
    expect(
      await ended(start('pretrain', data, '--ignore', 'y', '--out', run, '--steps', '2', ...model)),
    ).toBe(0);
    const before = await readdir(folder);
    const verbs = [
      ['embed', run, data, '--out', join(folder, 'embeddings.parquet')],
      ['embed', run, data, '--out', join(folder, 'embeddings.csv')],
    ];
    for (const args of verbs) {
      const child = start(...args);
      const done = ended(child);
      await until(child, async () => (await readdir(folder)).length > before.length);
      child.kill('SIGINT');
      expect(await done, child.said).toBe(130);
      expect(child.said).toContain('lacuna: interrupted');
      expect(await readdir(folder)).toEqual(before);
    }
    const out = join(folder, 'finetuned');
    const options = ['--target', 'y', '--out', out, '--threads', '1', '--seeds', '1', '--steps', '3'];
    const child = start('finetune', run, data, ...options, '--from-scratch');
    const done = ended(child);
    await until(child, () => existsSync(join(out, 'attempts', 'key.json')));
    child.kill('SIGTERM');
    expect(await done, child.said).toBe(130);
    expect(child.said).toContain('lacuna: interrupted');
    expect(await readdir(out)).toEqual(['attempts']);
    const resumed = start('finetune', run, data, ...options, '--from-scratch', '--resume');
    expect(await ended(resumed), resumed.said).toBe(0);
    expect(await readdir(out)).toContain('scores.json');
  });
});
