import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { begunWork, keptWork } from './kept-work.js';

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'lacuna-kept-'));
});
afterAll(() => rm(out, { recursive: true, force: true }));

const fitted = {
  name: 'linear on values',
  representation: false,
  features: ['values'],
  held: Float64Array.of(0.1, Number.NaN, -1e300),
  test: Float64Array.of(2),
  models: [{ kind: 'linear', weights: Float32Array.of(1, 2), bias: Float64Array.of(0.3) }],
  seconds: 1.5,
};
const settings = { data: 'abc', folds: 5 };

describe('work that is kept', () => {
  it('are read as they were written, by the same settings alone, and leave nothing behind', async () => {
    expect(await begunWork(out)).toBe(false);
    const kept = await keptWork(out, 'fit', settings);
    expect(await readdir(out)).toEqual([]);
    await kept.begin();
    expect(await kept.read(fitted.name)).toBeUndefined();
    await kept.write(fitted.name, fitted);
    expect(await begunWork(out)).toBe(true);
    const again = await keptWork(out, 'fit', { ...settings });
    expect(await again.read(fitted.name)).toEqual(fitted);
    expect(await again.read('another')).toBeUndefined();
    await expect(keptWork(out, 'fit', { ...settings, folds: 1 })).rejects.toThrow('other options');
    await again.remove();
    expect(await readdir(out)).toEqual([]);
  });

  it('are made anew where a file is not whole', async () => {
    const kept = await keptWork(out, 'fit', settings);
    await kept.begin();
    await kept.write(fitted.name, fitted);
    const [file] = (await readdir(join(out, 'attempts'))).filter((name) => name.endsWith('.safetensors'));
    const path = join(out, 'attempts', file);
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 100));
    expect(await kept.read(fitted.name)).toBeUndefined();
    bytes[bytes.length - 1] ^= 1;
    await writeFile(path, bytes);
    expect(await kept.read(fitted.name)).toBeUndefined();
  });
});
