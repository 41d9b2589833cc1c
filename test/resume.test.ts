import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../src/tensor/random.js';
import { decodeSafetensors } from '../src/tensor/safetensors.js';
import { molecules } from '../src/tokenizers/real-records.case.js';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-resume-'));
  data = join(folder, 'molecules.csv');
  const lines = Array.from({ length: 6 }, () => molecules).flat();
  await writeFile(data, `smiles\n${lines.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const STEPS = 120;
const options = Object.entries({
  steps: STEPS,
  'batch-size': 8,
  'max-tokens': 40,
  'valid-fraction': 0.2,
  'valid-steps': 30,
  'checkpoint-steps': 11,
  width: 16,
  layers: 1,
  heads: 2,
  latents: 8,
  threads: 1,
  seed: 11,
}).flatMap(([name, value]) => [`--${name}`, String(value)]);

const SMA = ['--select-initial-ratio', '0.5'];
const BYOL = ['--objective', 'byol', '--target-momentum', '0.9'];

const start = (out: string, ...more: string[]): ChildProcess =>
  spawn(process.execPath, [program, 'pretrain', data, '--out', out, ...options, ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });

/** Waits for the end: the exit code, or the signal that killed it, and what it said. */
function ended(child: ChildProcess): Promise<{ status: number | string | null; said: string }> {
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: signal ?? code, said }));
  });
}

const linesOf = async (run: string) =>
  (await readFile(join(run, 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n').slice(0, -1);

/** Sends a signal once the run has logged `step`. */
async function signalAt(
  child: ChildProcess,
  run: string,
  step: number,
  signal: NodeJS.Signals,
): Promise<void> {
  const done = ended(child);
  let over = false;
  void done.then(() => {
    over = true;
  });
  while (!over) {
    const last = (await linesOf(run)).at(-1);
    if (last && JSON.parse(last).step >= step) {
      child.kill(signal);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const { status } = await done;
  expect(status).toBe(signal === 'SIGINT' ? 130 : signal);
}

/** Everything in the log but what the clock decides. */
const learned = async (run: string) =>
  (await linesOf(run)).map((line) => {
    const { samples_per_second, data_wait, peak_memory_mib, seconds, ...rest } = JSON.parse(line);
    return rest;
  });

const newestCheckpoint = async (run: string) => {
  const names = (await readdir(join(run, 'checkpoints'))).filter((name) => name.endsWith('.safetensors'));
  return join(run, 'checkpoints', names.sort().at(-1) ?? '');
};

const expectSame = async (run: string, whole: string) => {
  expect(await learned(run)).toEqual(await learned(whole));
  for (const file of ['config.json', 'tokenizer.json', 'encoder.onnx'])
    expect(await readFile(join(run, file)), file).toEqual(await readFile(join(whole, file)));
  expect(await readFile(await newestCheckpoint(run))).toEqual(await readFile(await newestCheckpoint(whole)));
  expect(await readdir(run)).toContain('DONE');
};

/** Runs to the end, killed every few steps and gone on with each time. */
async function runKilled(run: string, options: readonly string[]): Promise<void> {
  const { integer } = random(1, 'moments of death');
  let resume: string[] = [];
  for (let reached = 0; reached + 75 < STEPS; resume = ['--resume']) {
    const step = reached + 5 + integer(35);
    await signalAt(start(run, ...options, ...resume), run, step, 'SIGKILL');
    expect(await readdir(run)).not.toContain('DONE');
    reached = (await learned(run)).at(-1)?.step ?? 0;
  }
  expect((await ended(start(run, ...options, '--resume'))).status).toBe(0);
}

describe('a run that was stopped goes on as if it had not been', () => {
  let whole: string;
  beforeAll(async () => {
    whole = join(folder, 'whole');
    expect((await ended(start(whole, ...SMA))).status).toBe(0);
  });

  it('logs every step, and learns', async () => {
    const lines = await learned(whole);
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: STEPS + 1 }, (_, i) => i));
    expect([0, 30].map((step) => typeof lines[step].effective_rank)).toEqual(['number', 'number']);
    const relative = [30, STEPS].map((i) => lines[i].val_loss / lines[i].val_loss_marginal);
    expect(relative[1]).toBeLessThan(relative[0]);
  });

  it('after being killed at random moments', async () => {
    const run = join(folder, 'killed');
    await runKilled(run, SMA);
    await expectSame(run, whole);
  });

  it('after Ctrl-C, which leaves a checkpoint of the last step and exit code 130', async () => {
    const run = join(folder, 'interrupted');
    await signalAt(start(run, ...SMA), run, 33, 'SIGINT');
    const { step } = (await learned(run)).at(-1) ?? { step: 0 };
    expect(await newestCheckpoint(run)).toContain(`step-${String(step).padStart(8, '0')}`);
    expect((await ended(start(run, '--resume'))).status).toBe(0);
    await expectSame(run, whole);
  });

  it('while nobody else can write into its folder, nor by --resume', async () => {
    const run = join(folder, 'held');
    const first = start(run, ...SMA);
    const done = ended(first);
    while ((await linesOf(run)).length < 5) await new Promise((resolve) => setTimeout(resolve, 3));
    // A writer that pauses is still the writer.
    first.kill('SIGSTOP');
    expect(await readdir(run)).toContain('LOCK');
    for (const more of [[], ['--resume']]) {
      const { status, said } = await ended(start(run, ...SMA, ...more));
      expect(status).toBe(2);
      expect(said).toMatch(/^lacuna: .*: process \d+ on .* writes into this folder since .*\n$/);
      expect(said).toContain(`process ${first.pid}`);
    }
    first.kill('SIGCONT');
    expect(await done).toMatchObject({ status: 0 });
    await expectSame(run, whole);
    expect(await readdir(run)).not.toContain('LOCK');
  });

  it('from the checkpoint before it where the newest is damaged', async () => {
    const run = join(folder, 'damaged');
    await signalAt(start(run, ...SMA), run, 50, 'SIGKILL');
    const newest = await newestCheckpoint(run);
    const bytes = await readFile(newest);
    bytes[bytes.length >> 1] ^= 1;
    await writeFile(newest, bytes);
    await writeFile(join(run, 'metrics.jsonl'), '{"step": 51, "lo', { flag: 'a' });
    const { status, said } = await ended(start(run, '--resume'));
    expect(status).toBe(0);
    expect(said).toContain('corrupted');
    await expectSame(run, whole);
  });

  it('with a target network', async () => {
    const [undisturbed, run] = [join(folder, 'byol'), join(folder, 'byol killed')];
    expect((await ended(start(undisturbed, ...BYOL))).status).toBe(0);
    const { tensors } = decodeSafetensors(await readFile(await newestCheckpoint(undisturbed)), 'byol');
    const difference = Object.entries(tensors).filter(
      ([name, { data }]) => `${tensors[`optimizer.average.${name}`]?.data}` === `${data}`,
    );
    expect(difference).toEqual([]);
    expect((await learned(undisturbed)).at(-1)).toMatchObject({ projection_spread: expect.any(Number) });
    await runKilled(run, BYOL);
    await expectSame(run, undisturbed);
  });

  it('says in one line what does not fit', async () => {
    const run = join(folder, 'changed');
    await cp(whole, run, { recursive: true });
    const refused = async (...more: string[]) => {
      const { status, said } = await ended(start(run, ...more));
      expect(status).toBe(2);
      expect(said.trim().split('\n')).toHaveLength(1);
      return said;
    };
    expect(await refused()).toContain('this folder is not empty');
    expect(await refused('--resume', '--set', 'training.clip_norm=3')).toContain(
      'training.clip_norm = 1, not 3',
    );
    const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'));
    config.training.clip_norm = 3;
    await writeFile(join(run, 'config.json'), JSON.stringify(config));
    expect(await refused('--resume')).toContain('config.json: corrupted');
    await rm(join(run, 'SHA256SUMS'));
    expect(await refused('--resume')).toContain('is not the configuration that');
  });
});
