import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Part } from '../records/split.js';
import { openSource } from '../sources/open-source.js';
import { type Tokenizer, tokenizers } from '../tokenizers/index.js';
import { readLabelledPath as readLabelled } from './labelled-file.case.js';

/** Molecules of ESOL (Delaney 2004): four benzenes, a thiophene, a pyrrolidone, three without rings, and what is none. */
const rows = `c1ccsc1,-1.33,test
O=C1CCCN1,1.07,train
N#Cc1ccccc1,-1,test
CCCCC=O,-0.85,train
C1CC,0,train
CCc1ccc(CC)cc1,-3.75,test
CCCC=C,-2.68,valid
Nc1ccccc1,,train
Clc1ccccc1,-2.42,train
CCCCCCCO,-1.81,train`;

let folder: string;
let path: string;
let sequence: Tokenizer;

async function fitted(kind: 'sequence' | 'fields', file: string, columns: string[]): Promise<Tokenizer> {
  const source = await openSource(file);
  return tokenizers[kind].fit(source.read({ columns }), { columns });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-labelled-'));
  path = join(folder, 'molecules.csv');
  await writeFile(path, `smiles,solubility,split\n${rows}\n`);
  sequence = await fitted('sequence', path, ['smiles']);
});
afterAll(() => rm(folder, { recursive: true }));

const halves = { targets: ['solubility'], validFraction: 0.25, testFraction: 0.25 };

describe('a split by scaffold', () => {
  it('keeps scaffolds together whatever the split column says, and leaves out what is no molecule', async () => {
    const got = await readLabelled({ ...halves, path, tokenizer: sequence, split: 'scaffold' });
    // Nine molecules: training may have 4.5, which the benzenes fill, one of them without a label; with validation 6.75,
    // so that the three without rings do not fit there.
    expect([...got.block.rows]).toEqual([0, 1, 2, 3, 5, 6, 8, 9]);
    const [benzene, chain] = ['train', 'test'];
    expect(got.part).toEqual(['valid', 'valid', benzene, chain, benzene, chain, benzene, chain]);
    expect(got).toMatchObject({
      counts: { train: 3, valid: 2, test: 3 },
      splitBy: 'scaffold (25 % valid, 25 % test)',
      unlabelled: 1,
      unassigned: 1,
    });
  });

  it('is not drawn unless asked for, and a random one passes the split column over as well', async () => {
    const byColumn = await readLabelled({ ...halves, path, tokenizer: sequence });
    expect(byColumn.splitBy).toBe('column split');
    const fractions = { validFraction: 0.4, testFraction: 0.3 };
    const byDraw = await readLabelled({
      ...halves,
      ...fractions,
      path,
      tokenizer: sequence,
      split: 'random',
    });
    expect(byDraw.splitBy).toBe('random draw (40 % valid, 30 % test, seed 0)');
    expect(byDraw.unassigned).toBe(0);
  });

  it('refuses runs that do not read text, and texts that are no molecules', async () => {
    const fields = await fitted('fields', path, ['smiles', 'split']);
    await expect(readLabelled({ ...halves, path, tokenizer: fields, split: 'scaffold' })).rejects.toThrow(
      /molecules as SMILES text, with the sequence or byte-pairs tokenizer; this one has fields; try --split random/,
    );
    const proteins = join(folder, 'proteins.csv');
    await writeFile(proteins, 'sequence,solubility\nMKTAYIAKQR,1\nMEEPQSDPSV,2\nMDLSALRVEE,3\n');
    const tokenizer = await fitted('sequence', proteins, ['sequence']);
    await expect(readLabelled({ ...halves, path: proteins, tokenizer, split: 'scaffold' })).rejects.toThrow(
      /RDKit reads none of the 3 texts in column "sequence"/,
    );
  });
});

describe('rows of few different contents', () => {
  /** Passengers of the Titanic (Dawson 1995), by class and sex: 80 rows of eight contents. */
  const passengers = Array.from({ length: 80 }, (_, i) =>
    [['1st', '2nd', '3rd', 'crew'][i % 4], i % 8 < 4 ? 'woman' : 'man', i % 3 ? 'yes' : 'no'].join(),
  );
  let file: string;
  let fields: Tokenizer;
  beforeAll(async () => {
    file = join(folder, 'passengers.csv');
    await writeFile(file, `cabin,sex,survived\n${passengers.join('\n')}\n`);
    fields = await fitted('fields', file, ['cabin', 'sex']);
  });
  const asked = { targets: ['survived'], validFraction: 0.3, testFraction: 0.3 };

  it('are parted by content, or refused with the draw that parts them', async () => {
    const few = { ...asked, validFraction: 0.01, testFraction: 0.01, path: file, tokenizer: fields };
    await expect(readLabelled(few)).rejects.toThrow(
      'they have 8 different contents, and records that share them are kept in one part; --split rows draws rows one by one, so that the test shares them with training',
    );
  });

  it('are parted row by row where that is asked for, and else told of', async () => {
    const got = await readLabelled({ ...asked, path: file, tokenizer: fields, split: 'rows' });
    expect(got.splitBy).toBe('random draw of rows (30 % valid, 30 % test, seed 0)');
    const contentsOf = (part: Part) =>
      new Set(passengers.filter((_, i) => got.part[i] === part).map((row) => row.split(',', 2).join()));
    expect(contentsOf('test').size).toBeGreaterThan(1);
    for (const content of contentsOf('test')) expect(contentsOf('train')).toContain(content);
    expect(got.notes).toEqual([]);
    const together = await readLabelled({ ...asked, path: file, tokenizer: fields });
    expect(together.notes).toEqual([expect.stringContaining('test records have')]);
  });
});

describe('several splits', () => {
  it('are drawn with the seeds 0, 1, … of the same records, the first as a single one', async () => {
    const asked = { ...halves, validFraction: 0.4, testFraction: 0.3, path, tokenizer: sequence };
    const one = await readLabelled({ ...asked, split: 'random' });
    const three = await readLabelled({ ...asked, split: 'random', splits: 3 });
    expect(one.splits).toEqual([{ members: one.members, counts: one.counts }]);
    expect(three.splits).toHaveLength(3);
    expect(three.splits[0]).toEqual(one.splits[0]);
    expect(three.splitBy).toBe('random draw (40 % valid, 30 % test, 3 splits, seeds 0 to 2)');
    for (const { members, counts } of three.splits) {
      const all = [...members.train, ...members.valid, ...members.test].sort((a, b) => a - b);
      expect(all).toEqual([...three.block.rows.keys()]);
      expect(counts.train).toBe(members.train.length);
    }
    expect(new Set(three.splits.map(({ members }) => String(members.test))).size).toBeGreaterThan(1);
  });

  it('are drawn by balanced scaffolds, and leave out the same records', async () => {
    const got = await readLabelled({
      ...halves,
      path,
      tokenizer: sequence,
      split: 'scaffold-balanced',
      splits: 2,
    });
    expect(got.splitBy).toBe('balanced scaffolds (25 % valid, 25 % test, 2 splits, seeds 0 to 1)');
    expect(got).toMatchObject({ unassigned: 1, unlabelled: 1 });
    for (const { members } of got.splits)
      expect(members.train.length + members.valid.length + members.test.length).toBe(got.block.count);
  });

  it('are refused where a column gives the parts, or nothing is drawn', async () => {
    const asked = { ...halves, path, tokenizer: sequence, splits: 5 };
    await expect(readLabelled(asked)).rejects.toThrow(
      /column "split" gives the parts, so there is one split and not 5; draw parts whatever it says with --split random/,
    );
    await expect(readLabelled({ ...asked, split: 'scaffold' })).rejects.toThrow(
      /no chance in it, so all 5 would be the same; try --split scaffold-balanced/,
    );
  });
});

describe('test records that equal training records', () => {
  it('are counted where ids part them, and not where rows are asked for one by one', async () => {
    const file = join(folder, 'repeated.csv');
    // Twenty molecules, each three times with an id of its own.
    const lines = Array.from({ length: 60 }, (_, i) => `m${i},${'C'.repeat(1 + (i % 20))},${i % 7}`);
    await writeFile(file, `id,smiles,solubility\n${lines.join('\n')}\n`);
    const asked = { ...halves, path: file, tokenizer: sequence };
    const { counts, notes } = await readLabelled(asked);
    const told = notes.find((note) => note.includes('equal training or validation records'));
    const [found, of] = told!.match(/\d+/g)!.map(Number);
    expect(of).toBe(counts.test);
    expect(found).toBeGreaterThan(counts.test / 2);
    const byRows = await readLabelled({ ...asked, split: 'rows' });
    expect(byRows.notes.join()).not.toContain('equal training');
  });

  it('are none where equal records have no ids, as those stay together', async () => {
    const file = join(folder, 'kept.csv');
    const lines = Array.from({ length: 60 }, (_, i) => `${'C'.repeat(1 + (i % 20))},${i % 7}`);
    await writeFile(file, `smiles,solubility\n${lines.join('\n')}\n`);
    const { notes } = await readLabelled({ ...halves, path: file, tokenizer: sequence });
    expect(notes.join()).not.toContain('equal training');
  });
});
