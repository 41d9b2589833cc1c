import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepRecord } from '../src/sweep/record.js';
import { molecules } from '../src/tokenizers/real-records.case.js';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

let folder: string;
let config: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-sweeping-'));
  const lines = Array.from({ length: 6 }, () => molecules).flat();
  await writeFile(join(folder, 'molecules.csv'), `smiles\n${lines.join('\n')}\n`);
  config = join(folder, 'sweep.yaml');
  await writeFile(
    config,
    `data: { path: ${join(folder, 'molecules.csv')}, valid_fraction: 0.2 }
tokenizer: { max_tokens: 40 }
encoder: { width: 16, layers: 1, heads: 2, latents: 8 }
objective: { kind: random-masking }
training: { steps: 60, batch_size: 8, checkpoint_steps: 7, threads: 1 }
search:
  training.learning_rate: { from: 0.0005, to: 0.01, log: true }
sweep: { trials: 4 }
`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const start = (out: string, ...more: string[]): ChildProcess & { said: string } => {
  const child = spawn(process.execPath, [program, 'sweep', config, '--out', join(folder, out), ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const told = Object.assign(child, { said: '' });
  child.stderr?.on('data', (chunk) => {
    told.said += chunk;
  });
  return told;
};
const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));

const record = async (out: string): Promise<SweepRecord> =>
  JSON.parse(await readFile(join(folder, out, 'sweep.json'), 'utf8'));
const scoresOf = async (out: string) =>
  (await record(out)).trials.map(({ judged }) => judged.map(({ score }) => score));
const stepsOf = async (out: string, trial: string) =>
  (await readFile(join(folder, out, 'trials', trial, 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n')
    .length;

describe('a sweep in processes', () => {
  it('loses no more than the trials under way when it is killed, and comes to the same', async () => {
    const whole = start('whole', '--parallel', '2');
    expect(await ended(whole), whole.said).toBe(0);
    expect(whole.said).toContain('best: trial');
    const scores = await scoresOf('whole');
    expect(scores.flat()).toHaveLength(4);

    // By SIGKILL, in the middle of the second pair.
    const killed = start('killed', '--parallel', '2');
    const end = ended(killed);
    while (killed.exitCode === null && (await stepsOf('killed', '003')) < 12)
      await new Promise((resolve) => setTimeout(resolve, 5));
    killed.kill('SIGKILL');
    expect(await end).toBe('SIGKILL');
    const before = (await scoresOf('killed')).flat().length;
    expect(before).toBeGreaterThanOrEqual(1);
    expect(before).toBeLessThan(4);

    // By Ctrl-C, at once.
    const stopped = start('killed', '--parallel', '2');
    const over = ended(stopped);
    while (!stopped.said.includes('at a time') && stopped.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    stopped.kill('SIGINT');
    expect(await over, stopped.said).toBe(130);
    expect(stopped.said).toContain('go on with: lacuna sweep');

    const last = start('killed', '--parallel', '2');
    expect(await ended(last), last.said).toBe(0);
    expect(await scoresOf('killed')).toEqual(scores);
  });

  it('is one trial less when the process of one is killed, which is tried again', async () => {
    const child = start('hurt');
    const end = ended(child);
    let owner: { pid: number } | undefined;
    while (owner === undefined && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const text = await readFile(join(folder, 'hurt', 'trials', '002', 'LOCK'), 'utf8').catch(() => '');
      if ((await stepsOf('hurt', '002')) > 3 && text.endsWith('\n')) owner = JSON.parse(text);
    }
    process.kill(owner!.pid, 'SIGKILL');
    expect(await end, child.said).toBe(0);
    expect(child.said).toContain('trial 2 of 4 failed: its process was killed by SIGKILL');
    expect((await scoresOf('hurt')).map((judged) => judged.length)).toEqual([1, 0, 1, 1]);
    const again = start('hurt');
    expect(await ended(again), again.said).toBe(0);
    expect(await scoresOf('hurt')).toEqual(await scoresOf('whole'));
  });

  it('names the line of a mistake', async () => {
    const wrong = join(folder, 'wrong.yaml');
    await writeFile(wrong, (await readFile(config, 'utf8')).replace('learning_rate:', 'learning_rates:'));
    const child = spawn(process.execPath, [program, 'sweep', wrong, '--out', join(folder, 'wrong')]);
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    expect(await ended(child)).toBe(2);
    expect(said).toBe(
      `lacuna: ${wrong}:7:3: search.training.learning_rates: unknown key; did you mean training.learning_rate?\n`,
    );
  });
});
