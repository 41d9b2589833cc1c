import { describe, expect, it } from 'vitest';
import { openBytes } from '../open-bytes.js';

const molecules = ['CCO', 'c1ccccc1', 'C[C@H](N)C(=O)[O-]', 'C%12CC%12', 'F/C=C\\F', '[Na+].[Cl-]', 'BrCCl'];

const open = (name: string, text: string) => openBytes(new File([text], name));

async function read(name: string, text: string) {
  const source = await open(name, text);
  const values: unknown[] = [];
  for await (const { columns } of source.read()) values.push(...columns.text.values);
  return { values, notes: source.notes };
}

describe('a SMILES file', () => {
  it.each([
    'SMILES',
    'smiles name',
    'isosmiles version_id parent_id',
    'iso_smiles',
    'canonical_smiles id',
    'SMILES_isomeric',
    '#SMILES name',
    '# made by x\n\nsmiles',
    '# smiles of x',
  ])('has no record for the header or comment %j', async (start) => {
    const lines = molecules.map((smiles, i) => `${smiles} m${i}`);
    expect(await read('a.smi', `${start}\n${lines.join('\n')}\n# end`)).toEqual({
      values: molecules,
      notes: undefined,
    });
  });

  it.each([
    [
      'names before',
      'Name\tSMILES\nmol0\tCCO\n',
      /line 1: .* header with "Name" before "SMILES"; --format tsv/,
    ],
    ['ids like molecules', 'ID smiles\nC1 CCO\n', /before "smiles"; --format csv --delimiter space reads/],
    ['commas', 'SMILES,Name\nCCO,mol0\n', /2 of 2 lines .* such as line 1, "SMILES,Name"; --format csv/],
    ['quotes', 'SMILES\n"CCO"\n"c1ccccc1"\n', /2 of 2 lines .* such as line 2, .*; --format csv reads/],
    ['numbers before', '1\tCCO\n2\tCCN\n', /2 of 2 lines .*; --format tsv reads columns/],
    ['a sequence', 'MKTAYIAKQR\n', /1 of 1 lines .* "MKTAYIAKQR".*--format lines whole lines/],
  ])('is refused where its molecules are elsewhere: %s', async (_, text, message) => {
    await expect(open('a.smi', text)).rejects.toThrow(message);
  });

  it('tells of a few lines that begin otherwise', async () => {
    const { values, notes } = await read('a.smi', `structure_id\n${molecules.join('\n')}`);
    expect(values).toHaveLength(8);
    expect(notes?.[0]).toMatch(/^1 of 8 lines do not begin with SMILES, such as line 1, "structure_id"/);
  });
});

describe('lines that end with CR alone', () => {
  it.each([
    ['a.smi', molecules.map((smiles) => `${smiles} name`).join('\r')],
    ['a.txt', molecules.join('\r')],
  ])('are lines: %s', async (name, text) => {
    expect((await read(name, text)).values).toEqual(molecules);
  });

  it('give the records of FASTA and JSON Lines', async () => {
    const count = async (name: string, text: string) => {
      let rows = 0;
      for await (const batch of (await open(name, text)).read()) rows += batch.rows.length;
      return rows;
    };
    expect(await count('a.fasta', '>p0\rMKTA\rYIA\r>p1\rMK\r')).toBe(2);
    expect(await count('a.jsonl', '{"x":1}\r{"x":2}\r')).toBe(2);
  });

  it('are a bad record of a SMILES file whose lines end otherwise, too', async () => {
    await expect(read('a.smi', 'CCO\nCCN a\rCCC b\nCCF\n')).rejects.toThrow(
      /line 2: a carriage return alone ends lines here/,
    );
  });
});
