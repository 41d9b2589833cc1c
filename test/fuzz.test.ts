/** Damaged files for every parser, in a process of its own; `npm run fuzz` tries more of them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fuzz } from './fuzz/fuzz.mjs';
import { parsersOf } from './fuzz/parsers.mjs';
import { trainRuns } from './fuzz/seeds.mjs';

const SEED = 1;
/** For a parser of which an input takes least. */
const COUNT = 20_000;

const runs = mkdtempSync(join(tmpdir(), 'lacuna-fuzz-runs-'));
beforeAll(() => trainRuns(runs));
afterAll(() => rmSync(runs, { recursive: true, force: true }));

describe('every parser', () => {
  it('reads what failed once, or refuses it in one line', async () => {
    const folder = fileURLToPath(new URL('fuzz-inputs', import.meta.url));
    // Called PARSER-….bin.
    const plan = readdirSync(folder).map((file) => ({
      name: file.split('-')[0],
      count: 1,
      inputs: [readFileSync(join(folder, file)).toString('base64')],
    }));
    const { findings } = await fuzz({ plan, runs, seed: SEED });
    expect(findings).toEqual([]);
  });

  it(`reads damaged files of seed ${SEED}, or refuses them in one line`, async () => {
    const parsers = Object.entries<object>(await parsersOf(join(runs, 'own'), runs));
    const plan = parsers.map(([name, { cost = 1 }]: [string, { cost?: number }]) => ({
      name,
      count: Math.ceil(COUNT / cost),
    }));
    const { findings, inputs, refused } = await fuzz({ plan, runs, seed: SEED });
    expect(findings).toEqual([]);
    expect(refused).toBeGreaterThan(inputs / 2);
    expect(refused).toBeLessThan(inputs);
  });
});
