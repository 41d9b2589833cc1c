import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packBatch } from '../records/batch.js';
import { openSource } from '../sources/open-source.js';
import { exportRun } from '../verbs/export.js';
import { pretrain } from '../verbs/pretrain.js';
import { shortRecord } from './card-example.js';
import { openRun } from './folder.js';
import { codeSpan } from './model-card.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-card-'));
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const training = { steps: 2, batch_size: 8, threads: 1 };
const encoder = { width: 16, layers: 1, heads: 2, latents: 4 };

async function exported(name: string, text: string) {
  const data = join(folder, name);
  const run = `${data}.run`;
  const out = `${data}.out`;
  await writeFile(data, text);
  await pretrain({ data, out: run, config: { encoder, training } });
  await exportRun({ run, out });
  return { data, run, out, card: await readFile(join(out, 'README.md'), 'utf8') };
}

/** The numbers that a program of the card says it prints, and those that it does. */
async function runExample(out: string, card: string) {
  const code = /```js\n([\s\S]*?)```/.exec(card)?.[1] ?? '';
  const said = code.split('//').at(-1)!.split(',').map(Number);
  const program = join(out, 'program.js');
  await writeFile(
    program,
    code
      .replace('console.log(', 'process.stdout.write(JSON.stringify(Array.from(')
      .replace(/\); \/\/.*/, ')));'),
  );
  const printed = execFileSync(process.execPath, [program], { cwd: out, encoding: 'utf8' });
  return { said, printed: JSON.parse(printed) as number[] };
}

const peptides = Array.from({ length: 48 }, (_, i) =>
  Array.from(
    { length: 9 + (i % 7) },
    (_, j) => 'ACDEFGHIKLMNPQRSTVWY'[(i * 7 + j * (3 + (i % 5))) % 20],
  ).join(''),
);

describe('the card of an exported run', () => {
  it('embeds a real record by its program, to the numbers that it shows', async () => {
    const { out, card } = await exported('peptides.txt', `${peptides.join('\n')}\n`);
    const { said, printed } = await runExample(out, card);
    expect(said).toHaveLength(4);
    for (const [i, value] of printed.entries()) expect(Math.abs(value - said[i])).toBeLessThan(2e-5);
    expect(new Set(said).size).toBeGreaterThan(1);
    expect(card).toContain(`The record with \`text\` \`"${peptides[0]}"\` has 9 tokens:`);
    // The letters that it lists are enough to make the tokens by hand.
    const ids = new Map([...card.matchAll(/(\d+) `([A-Z])`/g)].map(([, id, letter]) => [letter, Number(id)]));
    const tokens = [...peptides[0]].map((letter) => ids.get(letter));
    expect(card).toContain(`ids[0, :9] = [${tokens.join(', ')}]`);
    expect(card).toContain(`const records = [{"text":"${peptides[0]}"}];`);
  });

  it('says all that makes a row of a table into tokens', async () => {
    const rows = Array.from({ length: 180 }, (_, i) => [
      i % 9 === 4 ? '' : ((i * 37) % 50) / 4,
      ['red', 'green', 'blue`s'][i % 3],
      i === 7 ? 1e6 : (i * 11) % 23,
    ]);
    const { data, run, out, card } = await exported(
      'table.csv',
      `depth,colour,count\n${rows.map((row) => row.join(',')).join('\n')}\n`,
    );
    const { said, printed } = await runExample(out, card);
    for (const [i, value] of printed.entries()) expect(Math.abs(value - said[i])).toBeLessThan(2e-5);

    const { tokenizer } = await openRun(run);
    const idOf = new Map(
      [...card.matchAll(/(\d+) (?:`` ([^|]+?) ``|`([a-z]+)`)/g)].map((m) => [m[2] ?? m[3], Number(m[1])]),
    );
    const scale = new Map(
      [...card.matchAll(/`(\w+)` \| id 0, value with mean (\S+) and sd (\S+) \|/g)].map(
        ([, name, mean, sd]) => [name, [Number(mean), Number(sd)]],
      ),
    );
    const standardised = (name: string, cell: string | number) => {
      const [mean, sd] = scale.get(name)!;
      return Math.max(-10, Math.min(10, (Number(cell) - mean) / sd));
    };
    expect(card).toMatch(/at most 10 either way\. A missing cell has id 1 and value 0/);
    for await (const batch of (await openSource(data)).read()) {
      const block = tokenizer.encode(batch);
      const { ids, values } = packBatch(block, Int32Array.from(rows.keys()), rows.length, 3);
      for (const [i, [depth, colour, count]] of rows.entries()) {
        expect([...ids!.subarray(3 * i, 3 * i + 3)]).toEqual([
          depth === '' ? 1 : 0,
          idOf.get(String(colour)),
          0,
        ]);
        expect(values![3 * i]).toBeCloseTo(depth === '' ? 0 : standardised('depth', depth), 5);
        expect(values![3 * i + 2]).toBeCloseTo(standardised('count', count), 5);
      }
    }
  });
});

describe('names from a file in a card', () => {
  it('are no markup, whatever they are', async () => {
    const names = ['a|b', '*bold*', '<b>x</b>', '`tick`', '[link](http://x)', 'two ``ticks', '# title'];
    const rows = Array.from({ length: 90 }, (_, i) =>
      names.map((name, k) => (k % 2 === 0 ? `${name}${(i * 7 + k) % 3}` : (i * (k + 3)) % 17)),
    );
    const quoted = (cells: readonly unknown[]) => cells.map((cell) => `"${cell}"`).join(',');
    const { card } = await exported('*odd*.csv', `${[names, ...rows].map(quoted).join('\n')}\n`);
    const prose = card.replace(/```(js|python)[\s\S]*?\n```/g, '');
    // What is left without code is of the card itself.
    const bare = prose.replace(/(?<!`)(`+)(?!`)([\s\S]*?[^`])\1(?!`)/g, 'CODE');
    for (const name of ['*', '<', '[link]', '`', '# title']) expect(bare).not.toContain(name);
    // Each row of a table has the cells of its head.
    for (const table of prose.split(/\n\n/).filter((part) => part.startsWith('|'))) {
      const cells = table.split('\n').map((row) => row.split(/(?<!\\)\|/).length);
      expect(new Set(cells).size).toBe(1);
    }
  });

  it.each([
    ['plain', '`plain`'],
    ['a`b', '`` a`b ``'],
    ['``', '``` `` ```'],
    ['two\nlines', '`two lines`'],
    ['right\u202eleft', '`right left`'],
  ])('%j is %s', (text, code) => {
    expect(codeSpan(text)).toBe(code);
  });
});

describe('shortRecord', () => {
  const block = {
    count: 3,
    rows: Int32Array.of(0, 1, 2),
    offsets: Int32Array.of(0, 2, 502, 902),
    ids: new Int32Array(902).fill(3),
  };

  it('takes the first tokens of a long record, and a whole one where there is one of some tokens', () => {
    const spec = { kind: 'discrete', vocabulary: 9, maxTokens: 600 } as const;
    const long = shortRecord(block, spec);
    expect([long.place, long.whole, long.block.offsets[1], long.block.ids!.length]).toEqual([
      2,
      false,
      256,
      256,
    ]);
  });
});
