import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError, LacunaError } from '../errors.js';
import { partialName } from '../sources/partial-names.js';
import { encodeSafetensors } from '../tensor/safetensors.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  addPrefix,
  FIRST_MOMENT,
  latestCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
  selectPrefix,
} from './checkpoints.js';

const metadata = { epoch: 2, position: 17, config_hash: 'abc', version: '0.1.0' };
const weight = hostTensor('float32', [2, 2], Float32Array.of(1, -2, 3, Number.NaN));
const parameters = {
  'encoder.layer.0.weight': weight,
  'encoder.layer.0.bias': hostTensor('float32', [1], Float32Array.of(5)),
};

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'lacuna-run-'));
});
afterEach(() => rm(run, { recursive: true, force: true }));

const save = (step: number, keep?: number) =>
  saveCheckpoint(run, { step, tensors: parameters, metadata, keep });
const saved = () => readdir(join(run, 'checkpoints'));

describe('checkpoints', () => {
  it('give back tensors and place in the run', async () => {
    const tensors = { ...parameters, ...addPrefix(FIRST_MOMENT, parameters) };
    const ranked = { ...metadata, ranks: 4 };
    const path = await saveCheckpoint(run, { step: 1200, tensors, metadata: ranked });
    expect(path).toBe(join(run, 'checkpoints', 'step-00001200.safetensors'));
    const loaded = await loadCheckpoint(path);
    expect(loaded).toEqual({ path, step: 1200, metadata: ranked, tensors });
    expect(selectPrefix(FIRST_MOMENT, loaded.tensors)).toEqual(parameters);
  });

  it('are pruned to the last ones, with what a killed process left', async () => {
    await save(10);
    await save(20);
    const { pid } = spawnSync(process.execPath, ['--version']);
    const half = partialName(join(run, 'checkpoints', 'step-00000025.safetensors'));
    await writeFile(half.replace(`-${process.pid}-`, `-${pid}-`), 'half');
    await save(30);
    expect(await saved()).toEqual(['step-00000020.safetensors', 'step-00000030.safetensors']);
    await save(40, 1);
    expect(await saved()).toEqual(['step-00000040.safetensors']);
  });

  it('of a later step are removed, since the run has gone on from before them', async () => {
    await save(10);
    await save(20);
    await save(15);
    expect(await saved()).toEqual(['step-00000010.safetensors', 'step-00000015.safetensors']);
  });

  it('are refused when any single byte differs', async () => {
    const path = await save(1);
    const bytes = await readFile(path);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] ^= 1 << (at % 8);
      await writeFile(path, damaged);
      await expect(loadCheckpoint(path), `byte ${at}`).rejects.toThrow(InputError);
    }
    await writeFile(path, bytes);
    await loadCheckpoint(path);
  });

  it('are refused with their checksum when a weight differs', async () => {
    const path = await save(1);
    const bytes = await readFile(path);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(path, bytes);
    await expect(loadCheckpoint(path)).rejects.toThrow(
      /corrupted: expected SHA-256 [0-9a-f]{16}…, its \d+ bytes give/,
    );
  });

  it('are refused when they come from elsewhere or are not there', async () => {
    const path = join(run, 'other.safetensors');
    await expect(loadCheckpoint(path)).rejects.toThrow('could not read this checkpoint (ENOENT)');
    await writeFile(path, Buffer.concat(encodeSafetensors(parameters, { format: 'pt' })));
    await expect(loadCheckpoint(path)).rejects.toThrow('not a checkpoint of Lacuna');
  });
});

describe('latestCheckpoint', () => {
  it('is undefined for a run without checkpoints', async () => {
    expect(await latestCheckpoint(run)).toBeUndefined();
    await mkdir(join(run, 'checkpoints'));
    expect(await latestCheckpoint(run)).toBeUndefined();
  });

  it('passes over a truncated newest one and says so', async () => {
    const previous = await save(99_999_999);
    const newest = await save(100_000_000);
    expect((await latestCheckpoint(run))?.path).toBe(newest);
    await truncate(newest, 300);
    const reports: string[] = [];
    expect((await latestCheckpoint(run, (message) => reports.push(message)))?.path).toBe(previous);
    expect(reports).toEqual([expect.stringContaining(`${newest}: truncated`)]);
  });

  it('stops when none is intact', async () => {
    for (const step of [1, 2]) await truncate(await save(step), 20);
    await expect(latestCheckpoint(run)).rejects.toThrow(LacunaError);
    await expect(latestCheckpoint(run)).rejects.toThrow('none of the 2 checkpoints is intact');
  });
});
