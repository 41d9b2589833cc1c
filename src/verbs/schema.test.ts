/** A run reads every later file as it read its training file. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { embed } from './embed.js';
import { finetune } from './finetune.js';
import { pretrain } from './pretrain.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-schema-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config: UserConfig = {
  encoder: { width: 8, heads: 2, layers: 1, latents: 4 },
  training: { steps: 2, batch_size: 8, threads: 1 },
};

async function file(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

/** The embeddings of a file, a line of numbers for each record. */
async function embeddings(run: string, data: string): Promise<string[]> {
  const out = `${data}.embeddings.csv`;
  await embed({ run, data, out });
  const lines = (await readFile(out, 'utf8')).trim().split('\n').slice(1);
  return lines.map((line) => line.slice(line.indexOf(',')));
}

const codes = ['12', '1_2', 'B7'];
const flags = ['true', 'false', 'unknown'];
const rows = Array.from({ length: 90 }, (_, i) => `${i / 2},${codes[i % 3]},${flags[(i * 2) % 3]}`);

it('gives a row the same embedding whatever else its file holds', async () => {
  const run = join(folder, 'run');
  await pretrain({ data: await file('train.csv', ['x,code,flag', ...rows]), out: run, config });
  const [all] = await embeddings(run, await file('all.csv', ['x,code,flag', '0.5,12,true', ...rows]));
  // Alone, `12` would be a number and `true` a boolean; with semicolons and decimal commas it is the same record.
  for (const [name, lines] of Object.entries({
    'one.csv': ['x,code,flag', '0.5,12,true'],
    'alike.csv': ['x,code,flag', '0.5,12,true', '0.5,12,true'],
    'more.csv': ['flag,code,x,other', 'true,12,0.5,9', 'false,12,1.5,8'],
    'semicolons.csv': ['x;code;flag', '0.5;12;true'],
  })) {
    expect((await embeddings(run, await file(name, lines)))[0], name).toBe(all);
  }
  const one = await embeddings(run, await file('one.jsonl', ['{"x": 0.5, "code": 12, "flag": true}']));
  expect(one[0]).toBe(all);
});

it('refuses a file that does not fit, and says which cell', async () => {
  const run = join(folder, 'run');
  const wrong = await file('wrong.csv', ['x,code,flag', '0.5,12,true', 'high,12,true']);
  await expect(embeddings(run, wrong)).rejects.toThrow(
    'wrong.csv: line 3, column "x": expected a number as in the other records, got "high"',
  );
});

it('is kept by a run that starts from it, and by one that is fine-tuned', async () => {
  const run = join(folder, 'run');
  const schema = await readFile(join(run, 'schema.json'), 'utf8');
  const digits = await file('digits.csv', ['x,code,flag', ...rows.map((row) => row.replace(/1_2|B7/, '12'))]);
  const further = join(folder, 'further');
  await pretrain({ data: digits, out: further, config: { training: { ...config.training, from: run } } });
  const labelled = ['x,code,flag,y', ...rows.map((row, i) => `${row},${i % 2 ? 'pos' : 'neg'}`)];
  const finetuned = join(folder, 'finetuned');
  await finetune({
    run,
    data: await file('labelled.csv', labelled),
    targets: ['y'],
    out: finetuned,
    config: { seeds: 1, steps: 1, threads: 1, from_scratch: false },
  });
  expect(JSON.parse(await readFile(join(further, 'schema.json'), 'utf8')).columns.slice(0, 3)).toEqual(
    JSON.parse(schema).columns,
  );
  expect(await readFile(join(finetuned, 'schema.json'), 'utf8')).toBe(schema);
});

it('brings images of any size to the shape of those that were learned from', async () => {
  const { default: sharp } = await import('sharp');
  const images = async (name: string, side: number, count: number) => {
    await mkdir(join(folder, name));
    for (let i = 0; i < count; i++) {
      const pixels = Uint8Array.from({ length: side * side * 3 }, (_, at) => (at * (i + 3)) % 251);
      const image = sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
      await image.png().toFile(join(folder, name, `${i}.png`));
    }
    return join(folder, name);
  };
  const run = join(folder, 'images run');
  await pretrain({ data: await images('small', 16, 40), out: run, config });
  expect(JSON.parse(await readFile(join(run, 'schema.json'), 'utf8')).columns[0]).toEqual({
    name: 'pixels',
    type: 'pixels',
    shape: [16, 16, 3],
  });
  expect(await embeddings(run, await images('large', 40, 2))).toHaveLength(2);
});
