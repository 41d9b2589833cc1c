import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { begunFit, keptAttempts } from './kept-attempts.js';
import type { Fitted } from './select.js';

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'lacuna-kept-'));
});
afterAll(() => rm(out, { recursive: true, force: true }));

const fitted: Fitted = {
  name: 'linear on values',
  representation: false,
  features: ['values'],
  held: Float64Array.of(0.1, Number.NaN, -1e300),
  test: Float64Array.of(2),
  models: [{ kind: 'linear', weights: Float32Array.of(1, 2), bias: Float64Array.of(0.3) }],
  seconds: 1.5,
};
const settings = { data: 'abc', folds: 5 };

describe('attempts that are kept', () => {
  it('are read as they were written, by the same settings alone, and leave nothing behind', async () => {
    expect(await begunFit(out)).toBe(false);
    const kept = await keptAttempts(out, settings);
    expect(await readdir(out)).toEqual([]);
    await kept.begin();
    expect(await kept.read(fitted.name)).toBeUndefined();
    await kept.write(fitted);
    expect(await begunFit(out)).toBe(true);
    const again = await keptAttempts(out, { ...settings });
    expect(await again.read(fitted.name)).toEqual(fitted);
    expect(await again.read('another')).toBeUndefined();
    await expect(keptAttempts(out, { ...settings, folds: 1 })).rejects.toThrow('other options');
    await again.remove();
    expect(await readdir(out)).toEqual([]);
  });

  it('are made anew where a file is not whole', async () => {
    const kept = await keptAttempts(out, settings);
    await kept.begin();
    await kept.write(fitted);
    const [file] = (await readdir(join(out, 'attempts'))).filter((name) => name.endsWith('.safetensors'));
    const path = join(out, 'attempts', file);
    await writeFile(path, (await readFile(path)).subarray(0, 100));
    expect(await kept.read(fitted.name)).toBeUndefined();
  });
});
