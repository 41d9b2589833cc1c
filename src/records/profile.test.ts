import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSource } from '../sources/open-source.js';
import { ColumnSummary } from './column-summary.js';
import { profileSource } from './profile.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-profile-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function profile(name: string, text: string, rows?: number) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const result = await profileSource(await openSource(path), { rows });
  return { ...result, column: Object.fromEntries(result.columns.map((column) => [column.name, column])) };
}

describe('profileSource', () => {
  it('counts what is there, missing, different and duplicated', async () => {
    const { rows, duplicates, column } = await profile('t.csv', 'a,b,c\n1,x,7\n,xyz,7\n3.5,xy,7\n1,x,7\n');
    expect([rows, duplicates]).toEqual([4, 1]);
    expect(column.a).toMatchObject({
      type: 'number',
      present: 3,
      missing: 1,
      distinct: 2,
      integers: false,
      range: { min: 1, max: 3.5, mean: 5.5 / 3 },
    });
    expect(column.b).toMatchObject({
      lengths: { min: 1, median: 1.5, max: 3, mean: 1.75 },
      examples: ['"x"', '"xyz"', '"xy"'],
    });
    expect([column.a, column.b, column.c].map(({ constant }) => constant)).toEqual([false, false, true]);
  });

  it('stops at the limit and then does not claim to know the number of records', async () => {
    const text = `a\n${Array.from({ length: 50 }, (_, i) => i).join('\n')}\n`;
    const part = await profile('n.csv', text, 20);
    expect([part.rows, part.rowsRead]).toEqual([undefined, 20]);
    expect(await profile('n.csv', text, 50)).toMatchObject({ rows: 50, rowsRead: 50 });
  });

  it('sees sequence, split, id and labels in a table of molecules', async () => {
    const smiles = (i: number) =>
      `${'C'.repeat(1 + (i % 9))}(=O)N${'c1ccccc1'.repeat(1 + Math.floor(i / 9))}`;
    const part = (i: number) =>
      i === 39 ? 'unparsable' : ['train', 'train', 'train', 'valid', 'test'][i % 5];
    const lines = Array.from({ length: 40 }, (_, i) => `mol-${i},${smiles(i)},${i % 2},${-i / 7},${part(i)}`);
    const { id, split, dominantText, column } = await profile(
      'molecules.csv',
      `name,smiles,p_np,logD,scaffold_split\n${lines.join('\n')}\n`,
    );
    expect([id, split, dominantText]).toEqual(['name', 'scaffold_split', 'smiles']);
    expect(column.p_np.looksLikeLabel).toMatch(/only 2 values beside the text column "smiles"/);
    expect(column.logD.looksLikeLabel).toMatch(/numbers beside/);
    expect([column.name, column.smiles, column.scaffold_split].some((one) => one.looksLikeLabel)).toBe(false);
  });

  it('takes lists of numbers beside a sequence for labels of its tokens, and alone for the sequence', async () => {
    const residues = ['MKLVINGK', 'GIVEQCCTS', 'FVNQH'];
    const labels = residues.map((text) => [...text].map((_, i) => i % 3).join(' '));
    const lines = residues.map((text, i) => `${text},${labels[i]},${i + 7}`);
    const { dominantText, column } = await profile('labels.csv', `primary,ss3,zip\n${lines.join('\n')}\n`);
    expect(dominantText).toBe('primary');
    expect([column.primary, column.ss3, column.zip].map(({ numberList }) => numberList)).toEqual([
      false,
      true,
      false,
    ]);
    expect(column.ss3.looksLikeLabel).toMatch(/lists of numbers beside .*: a label per token\?/);
    const alone = await profile(
      'alone.csv',
      `name,tokens\n${labels.map((text, i) => `n${i},${text}`).join('\n')}\n`,
    );
    expect(alone.dominantText).toBe('tokens');
  });

  it('sees labels by name or place in a table of numbers, and no dominating text', async () => {
    const lines = Array.from(
      { length: 60 },
      (_, i) => `${i % 2},${i / 3},${i ** 2 / 7},${i % 3 ? 'yes' : 'no'}`,
    );
    const events = (first: string) =>
      profile('events.csv', `${first},lepton_pT,jet1_eta,kept\n${lines.join('\n')}\n`);
    const { id, split, dominantText, column } = await events('label');
    expect([id, split, dominantText]).toEqual([undefined, undefined, undefined]);
    expect(column.label.looksLikeLabel).toMatch(/its name says "label"/);
    // Where one is named, another that is last is data.
    expect([column.kept, column.lepton_pT].map(({ looksLikeLabel }) => looksLikeLabel)).toEqual([
      undefined,
      undefined,
    ]);
    const unnamed = (await events('jets')).column;
    expect(unnamed.kept.looksLikeLabel).toMatch(
      /the only text among 3 columns of numbers, last, with 2 values/,
    );
    expect(unnamed.jets.looksLikeLabel).toBeUndefined();
  });

  /** Tables made like well-known ones: the same columns in the same order, with values of the same kinds. */
  const noise = (i: number, k: number) => ((i * 7919 + k * 104729) % 1009) / 10;
  const measured = (i: number, k: number) => noise(i, k).toFixed(1);
  const whole = (i: number, k: number, values: number) => Math.floor(noise(i, k) * 10) % values;
  it.each<[string, string, (i: number) => (string | number)[], string]>([
    [
      'letters by their shapes',
      'letter,xbox,ybox,width,high,onpix,xedge,yedge,yedgex',
      (i) => ['ABCDEFGHIJKLMNOPQRSTUVWXYZ'[i % 26], ...[1, 2, 3, 4, 5, 6, 7, 8].map((k) => whole(i, k, 16))],
      'letter',
    ],
    [
      'a census',
      'age,workclass,education,sex,hours,income',
      (i) => [
        17 + whole(i, 1, 60),
        ['Private', 'State-gov', '?'][i % 3],
        ['HS-grad', 'Bachelors'][whole(i, 2, 2)],
        ['Male', 'Female'][whole(i, 3, 2)],
        whole(i, 4, 90),
        ['<=50K', '>50K'][whole(i, 5, 2)],
      ],
      'income',
    ],
    [
      'flowers',
      'sepal_length,sepal_width,petal_length,petal_width,variety',
      (i) => [...[1, 2, 3, 4].map((k) => measured(i, k)), ['Setosa', 'Versicolor', 'Virginica'][i % 3]],
      'variety',
    ],
    [
      'passengers',
      'PassengerId,Survived,Pclass,Sex,Age,Fare,Embarked',
      (i) => [
        i + 1,
        whole(i, 1, 2),
        1 + whole(i, 2, 3),
        ['male', 'female'][i % 2],
        measured(i, 3),
        measured(i, 4),
        'SCQ'[whole(i, 5, 3)],
      ],
      'Survived',
    ],
    [
      'biopsies',
      'id,diagnosis,radius_mean,texture_mean,area_mean',
      (i) => [8_000_000 + 37 * i, 'MB'[whole(i, 1, 2)], measured(i, 2), measured(i, 3), measured(i, 4)],
      'diagnosis',
    ],
    [
      'wines',
      'acidity,sugar,pH,alcohol,quality',
      (i) => [...[1, 2, 3, 4].map((k) => measured(i, k)), 3 + whole(i, 5, 6)],
      'quality',
    ],
    [
      'shells, whose sex is data',
      'Sex,Length,Diameter,Height,Rings',
      (i) => ['MFI'[i % 3], ...[1, 2, 3].map((k) => measured(i, k)), 1 + whole(i, 4, 28)],
      '',
    ],
    [
      'houses, whose price nothing tells',
      'income,rooms,latitude,price',
      (i) => [1, 2, 3, 4].map((k) => measured(i, k)),
      '',
    ],
  ])('of %s, the likely label is the right column and no other', async (_, header, cells, label) => {
    const lines = Array.from({ length: 520 }, (_, i) => cells(i).join(','));
    const { columns } = await profile('known.csv', `${header}\n${lines.join('\n')}\n`);
    const likely = columns.filter(({ looksLikeLabel }) => looksLikeLabel).map(({ name }) => name);
    expect(likely).toEqual(label === '' ? [] : [label]);
  });

  it('tells what texts look like, and takes no name for a dominating text', async () => {
    const lines = Array.from(
      { length: 30 },
      (_, i) =>
        `"Braund, Mr. Owen Harris ${i}",10.0.0.${i},${20 + i / 2},C${'CO'.repeat(1 + (i % 7))}(=O)N${i}`,
    );
    const { id, dominantText, column } = await profile(
      'passengers.csv',
      `Name,host,age,note\n${lines.map((line) => line.replace(/,[^,]*$/, ',x')).join('\n')}\n`,
    );
    expect([id, dominantText]).toEqual(['Name', undefined]);
    expect([column.Name.look, column.host.look]).toEqual([undefined, 'IP address']);
    expect(column.age.looksLikeLabel).toBeUndefined();
    const molecules = await profile('molecules.csv', `Name,host,age,note\n${lines.join('\n')}\n`);
    expect(molecules.dominantText).toBe('note');
    expect(molecules.column.note.look).toBe('sequence');
  });

  it('knows the channels of a series', async () => {
    const summary = new ColumnSummary('motion', 'series');
    const values = Float32Array.of(1, 2, 3, 4, 5, 6);
    summary.add({ type: 'series', values, offsets: Int32Array.of(0, 1, 3), channels: 2 }, 2);
    expect(summary.profile()).toMatchObject({ channels: 2, lengths: { min: 1, max: 2 } });
  });
});
