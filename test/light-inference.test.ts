/** Inference on formats that need no database loads no library that it has no use for. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pretrain } from 'lacuna';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadedModules } from './loaded-modules.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const heavy = /node_modules\/(@duckdb|@rdkit|openchemlib|vega|d3-|ml-)/;

let folder: string;
const file = (name: string) => join(folder, name);
const config = {
  encoder: { width: 16, layers: 1, latents: 4, heads: 2 },
  training: { steps: 2, batch_size: 4, threads: 1 },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-light-'));
  const letters = 'ACDEFGHIKLMNPQRSTVWY';
  const sequences = Array.from({ length: 40 }, (_, row) =>
    Array.from({ length: 12 }, (_, place) => letters[(row * 7 + place * (row % 5)) % 20]).join(''),
  );
  await writeFile(file('p.fasta'), sequences.map((text, row) => `>p${row}\n${text}\n`).join(''));
  const waves = sequences.map((_, row) => JSON.stringify({ first: Math.sin(row), second: Math.cos(row) }));
  await writeFile(file('t.jsonl'), `${waves.join('\n')}\n`);
  await pretrain({ data: file('p.fasta'), out: file('proteins'), config });
  await pretrain({ data: file('t.jsonl'), out: file('table'), config });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['proteins', 'p.fasta', 'p.npy'],
  ['proteins', 'p.fasta', 'p.csv'],
  ['table', 't.jsonl', 't.npy'],
])('lacuna embed %s %s --out %s', async (run, data, out) => {
  const loaded = loadedModules(main, ['embed', file(run), file(data), '--out', file(out)]);
  // What it does need is among them, so they are all seen, those of the worker too.
  expect(loaded).toContain('dist/verbs/embed.js');
  expect(loaded).toContain('node_modules/onnxruntime-node');
  expect(loaded.split('\n').filter((url) => heavy.test(url))).toEqual([]);
  expect((await readFile(file(out))).length).toBeGreaterThan(40 * 16 * 4);
});

it('a model in memory', async () => {
  const program = file('ask.mjs');
  const library = new URL('../dist/index.js', import.meta.url);
  await writeFile(
    program,
    `import { load } from ${JSON.stringify(library.href)};
     const model = await load(process.argv[2]);
     const [embedding] = await model.embed([{ first: 0.5, second: '0.25' }]);
     if (embedding.length !== 16) throw new Error('expected 16 numbers');
     await model.dispose();`,
  );
  const loaded = loadedModules(program, [file('table')]);
  expect(loaded).toContain('dist/models/load.js');
  expect(loaded).toContain('node_modules/onnxruntime-node');
  expect(loaded.split('\n').filter((url) => heavy.test(url))).toEqual([]);
});

it('a database is loaded where there is use for it', () => {
  const out = file('p.parquet');
  const loaded = loadedModules(main, ['embed', file('proteins'), file('p.fasta'), '--out', out]);
  expect(loaded).toMatch(/node_modules\/@duckdb\/node-api/);
});
