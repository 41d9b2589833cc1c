import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenFeeds } from '../layers/token-embedding.js';
import { packBatch } from '../records/batch.js';
import { openRun } from '../runs/folder.js';
import { openSource } from '../sources/open-source.js';
import { random } from '../tensor/random.js';
import { exportRun } from '../verbs/export.js';
import { pretrain } from '../verbs/pretrain.js';
import type { Tokenize } from './tokenize.js';

const source = random(1, 'records of all kinds');
const words = 'the quick brown fox jumps over a lazy dog and runs away from it all day long'.split(' ');
const word = () => words[source.integer(words.length)];
const two = (value: number) => String(value).padStart(2, '0');
/** One column for each way in which a cell of a table is read. */
const rows = Array.from({ length: 640 }, (_, row) => ({
  amount: row % 9 === 4 ? null : source.integer(1000) / 8,
  flag: source.integer(2) === 1,
  when: `2020-${two(1 + source.integer(12))}-${two(1 + source.integer(28))}T${two(source.integer(24))}:30:00Z`,
  colour: ['red', 'green', 'blue'][source.integer(3)],
  customer: `k${source.integer(300)}`,
  note: Array.from({ length: 12 }, word).join(' '),
  place: [source.integer(5) / 3, source.integer(7) / 2, source.normal()],
}));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-tokenize-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The tokenize.js of a run on this data, and what the run's tokenizer makes of the file. */
async function exported(name: string, text: string) {
  const data = join(folder, name);
  const [run, out] = [`${data}.run`, `${data}.out`];
  await writeFile(data, text);
  const encoder = { width: 8, layers: 1, heads: 2, latents: 4 };
  await pretrain({
    data,
    out: run,
    config: { encoder, training: { steps: 1, batch_size: 8, threads: 1 } },
  });
  await exportRun({ run, out });
  const json = async (file: string) => JSON.parse(await readFile(join(out, file), 'utf8'));
  const { openTokenizer } = await import(pathToFileURL(join(out, 'tokenize.js')).href);
  const tokenize: Tokenize = openTokenizer(await json('tokenizer.json'), await json('schema.json'));
  const { tokenizer, schema } = await openRun(run);
  const { columns, spec } = tokenizer;
  const expected: Record<string, ArrayLike<number>> = {};
  for await (const batch of (await openSource(data, { schema })).read({ columns })) {
    const block = tokenizer.encode(batch);
    const all = Int32Array.from({ length: block.count }, (_, record) => record);
    const feeds = tokenFeeds(packBatch(block, all, block.count, spec.maxTokens));
    for (const [input, { data: own }] of Object.entries(feeds)) expected[input] = own as Int32Array;
  }
  return { tokenize, expected, tokenizer: await json('tokenizer.json'), out };
}

const dataOf = (feeds: Awaited<ReturnType<Tokenize>>) =>
  Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data]));

describe('tokenize.js', () => {
  it('makes of objects the tokens that the run makes of its file, for every kind of column', async () => {
    const text = `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`;
    const { tokenize, expected, tokenizer } = await exported('all.jsonl', text);
    const kinds: { type: string }[] = tokenizer.fields;
    expect(new Set(kinds.map(({ type }) => type))).toEqual(
      new Set(['numeric', 'categorical', 'date', 'hashed', 'text', 'vector']),
    );
    const got = await tokenize(rows);
    expect(dataOf(got)).toEqual(expected);
    const { ids, values, lengths } = got;
    const tokens = expected.ids.length / rows.length;
    expect([ids, values, lengths].map(({ type, dims }) => [type, dims])).toEqual([
      ['int32', [640, tokens]],
      ['float32', [640, tokens, 1]],
      ['int32', [640]],
    ]);
    // A batch of one is one of them.
    const one = await tokenize([rows[7]]);
    expect(one.ids.data).toEqual(ids.data.slice(7 * tokens, 8 * tokens));
    // A category that was not in the file is told, or refused.
    const told: string[] = [];
    const violet = [rows[7], { ...rows[7], colour: 'violet' }];
    await tokenize(violet, { warn: (message) => told.push(message) });
    expect(told).toEqual([
      expect.stringContaining('(column colour: "violet"), first in record 1'),
      expect.stringContaining('2 records are longer than the run reads (column note)'),
    ]);
    await expect(tokenize(violet, { onUnknown: 'fail' })).rejects.toThrow(
      'record 1, column "colour": "violet"',
    );
    // Lists of integers alone are lists still.
    const whole = [0, 1, 2].map((place) => ({ ...rows[7], place: [place, 1, 2] }));
    const both = await tokenize([rows[7], ...whole]);
    expect((await tokenize(whole)).values.data).toEqual(both.values.data.slice(tokens));
  });

  it('reads numbers and dates as they were written in the file', async () => {
    const lines = rows.map(
      ({ amount, when, colour }) =>
        `1.${two(Math.floor(amount ?? 0) % 100)}0,50 €;${when.slice(8, 10)}.${when.slice(5, 7)}.2020;${colour}`,
    );
    const { tokenize, expected } = await exported('euro.csv', `price;day;colour\n${lines.join('\n')}\n`);
    const records = lines.map((line) => {
      const [price, day, colour] = line.split(';');
      return { price, day, colour };
    });
    expect(dataOf(await tokenize(records))).toEqual(expected);
  });

  it('reads texts alone, and says which record it cannot read', async () => {
    const texts = rows.map(({ note }) => note.replaceAll(' ', '').toUpperCase());
    const { tokenize, expected, out } = await exported('texts.txt', `${texts.join('\n')}\n`);
    expect(dataOf(await tokenize(texts))).toEqual(expected);
    await expect(tokenize(['ABC', 7 as unknown as string])).rejects.toThrow(
      'records: record 1: expected an object or a text, got 7',
    );
    await expect(tokenize(['ABC', { text: null }])).rejects.toThrow(
      'records: record 1, column "text": the cell is missing',
    );
    await expect(tokenize([])).rejects.toThrow('expected at least one record');
    const code = await readFile(join(out, 'tokenize.js'), 'utf8');
    expect(code).not.toMatch(/\bimport\b|\brequire\(|\bprocess\b|\bBuffer\b/);
    expect(JSON.parse(await readFile(join(out, 'package.json'), 'utf8'))).toEqual({ type: 'module' });
  });

  it('reads a series of integers, of one step, or with a gap, as it reads others', async () => {
    const series = rows.map(({ place }, row) => [...place, row % 5, 1.5]);
    const lines = series.map((steps) => `${steps.join(',')}:a`);
    const head = '@problemName s\n@timeStamps false\n@univariate true\n@classLabel true a\n@data';
    const { tokenize, expected } = await exported('series.ts', `${head}\n${lines.join('\n')}\n`);
    expect(dataOf(await tokenize(series))).toEqual(expected);
    const odd = [[1, 2, 3, 4, 5], [7], [null, 2, 3] as number[], Float32Array.of(3, 2, 1)];
    const together = await tokenize([series[0], ...odd]);
    expect(Array.from(together.lengths.data)).toEqual([5, 5, 1, 3, 3]);
    for (const [i, record] of odd.entries()) {
      const own = (await tokenize([record])).values.data;
      expect(own).toEqual(together.values.data.slice((i + 1) * own.length, (i + 2) * own.length));
    }
  });
});
