import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cellsOf, digitImages, pretrainOn, writeImages } from './search.case.js';
import { select } from './select.js';

const [ones, eights] = [digitImages(1, 150), digitImages(8, 150)];
let folder: string;
const at = (name: string) => join(folder, name);
const asked = () => ({ run: at('run'), data: at('pool.idx3-ubyte'), out: at('chosen.csv') });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-select-'));
  await writeImages(at('pool.idx3-ubyte'), [...ones.slice(0, 100), ...eights.slice(0, 100)]);
  await writeImages(at('eights.idx3-ubyte'), eights.slice(100));
  await pretrainOn(at('pool.idx3-ubyte'), at('run'), 60);
});
afterAll(() => rm(folder, { recursive: true }));

it('chooses by the records that learning is for', async () => {
  const summary = await select({ ...asked(), method: 'simcore', for: at('eights.idx3-ubyte'), count: 20 });
  expect(summary).toMatchObject({ rows: 20, pool: 200 });
  const chosen = cellsOf(await readFile(at('chosen.csv'), 'utf8'));
  expect(Object.keys(chosen[0])).toEqual(['row', 'similarity']);
  expect(chosen.filter(({ row }) => Number(row) >= 100).length).toBeGreaterThanOrEqual(18);
});

it('chooses a tenth where nobody says how many, the same again for a seed, by every method', async () => {
  for (const method of ['facility-location', 'perplexity', 'random'] as const) {
    expect((await select({ ...asked(), method })).rows).toBe(20);
    const first = await readFile(at('chosen.csv'), 'utf8');
    await select({ ...asked(), method });
    expect(await readFile(at('chosen.csv'), 'utf8')).toBe(first);
  }
  const { rows } = await select({ ...asked(), method: 'near-duplicates' });
  expect(rows).toBeGreaterThan(150);
});

it('refuses to choose among one record', async () => {
  await writeImages(at('one.idx3-ubyte'), ones.slice(0, 1));
  const asking = select({ ...asked(), data: at('one.idx3-ubyte'), method: 'near-duplicates' });
  await expect(asking).rejects.toThrow('expected at least 2 records to choose among, and 1 can be read');
});

it('refuses what a method cannot choose by', async () => {
  await expect(select({ ...asked(), method: 'simcore' })).rejects.toThrow('name their file with --for');
  await expect(select({ ...asked(), method: 'random', for: at('eights.idx3-ubyte') })).rejects.toThrow(
    'leave out --for',
  );
  await expect(select({ ...asked(), method: 'best' as 'random' })).rejects.toThrow('expected one of simcore');
});
