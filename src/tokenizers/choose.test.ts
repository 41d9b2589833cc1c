import { describe, expect, it } from 'vitest';
import { profileSource } from '../records/profile.js';
import type { ColumnValues, DataSource } from '../records/record-batch.js';
import { chooseTokenizer, type TokenizerWishes } from './index.js';
import { numbers, records, texts } from './tokenizer.case.js';

async function choose(columns: Record<string, ColumnValues>, wishes?: TokenizerWishes) {
  const count = Math.max(
    ...Object.values(columns).map((column) => (column.type === 'pixels' ? 1 : column.values.length)),
  );
  const source: DataSource = {
    path: 'data.csv',
    files: ['data.csv'],
    format: 'csv',
    bytes: 1,
    reject() {},
    columns: Object.entries(columns).map(([name, { type }]) => ({ name, type })),
    async *read() {
      yield records(columns, count);
    },
  };
  return chooseTokenizer(await profileSource(source), wishes);
}

const times = <T>(n: number, values: readonly T[]): T[] => Array.from({ length: n }, () => values).flat();

const molecules = [
  'OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O',
  'Cc1occc1C(=O)Nc2ccccc2',
  'CC(C)=CCCC(C)=CC(=O)',
];
const solubility = {
  smiles: texts(molecules),
  log_solubility: numbers([-0.77, -3.3, -2.06]),
  scaffold_split: texts(['test', 'train', 'train']),
};
const adult = {
  split: texts(times(6, ['train', 'train', 'test', 'test'])),
  age: numbers(times(6, [39, 50, 38, 53])),
  workclass: texts(times(6, ['State-gov', 'Private', 'Private', 'State-gov'])),
  income: texts(times(6, ['<=50K', '>50K', '<=50K', '>50K'])),
};
const events = {
  split: texts(['train', 'train', 'test']),
  source: texts(['uci_head', 'uci_head', 'uci_head']),
  label: numbers([1, 1, 0]),
  lepton_pT: numbers([0.869, 0.908, 0.799]),
  lepton_eta: numbers([-0.635, 0.329, 1.471]),
};

describe('chooseTokenizer', () => {
  it('reads the text column that dominates, never a split', async () => {
    const choice = await choose(solubility);
    expect(choice).toEqual({
      kind: 'sequence',
      columns: ['smiles'],
      why: 'column smiles holds text, 32 characters on average',
      unused: ['log_solubility', 'scaffold_split'],
      reasons: {
        log_solubility: 'only smiles is read',
        scaffold_split: 'says which records are for training',
      },
      warnings: [],
    });
  });

  it('reads a table of numbers and categories as fields, and warns of what looks like a label', async () => {
    const choice = await choose(adult);
    expect(choice).toMatchObject({
      kind: 'fields',
      columns: ['age', 'workclass', 'income'],
      unused: ['split'],
    });
    expect(choice.why).toBe('a table of 1 numeric and 2 categorical columns');
    expect(choice.warnings).toEqual([
      'column income is learned from and may be a label (the last column, with only 2 values); if it is, leave it out with --ignore',
    ]);
  });

  it('leaves out constant columns and what is called a label, and says so', async () => {
    const choice = await choose(events);
    expect(choice).toMatchObject({ kind: 'fields', columns: ['lepton_pT', 'lepton_eta'] });
    expect(choice.reasons).toMatchObject({
      source: 'the same in all of the first 3 records',
      label: 'its name is that of a label',
    });
    expect(choice.warnings).toEqual([
      'column label looks like a label and is not learned from; name it in --columns if it is data',
    ]);
  });

  it('reads images, and lines of a file without columns', async () => {
    const image: ColumnValues = { type: 'pixels', values: new Uint8Array(64), shape: [8, 8, 1] };
    expect(await choose({ image, label: numbers([3]) })).toMatchObject({ kind: 'grid', columns: ['image'] });
    expect(await choose({ text: texts(['C', 'N', 'C', 'C']) })).toMatchObject({ kind: 'sequence' });
  });

  it('leaves out ids and row counters', async () => {
    const sequences = {
      id: texts(['sp|P0CG48', 'sp|P69905']),
      sequence: texts(['MQIFVKTLTGK', 'MVLSPADKTN']),
    };
    expect(await choose(sequences)).toMatchObject({
      columns: ['sequence'],
      reasons: { id: 'names the record' },
    });
    const counted = { row: numbers([4, 5, 6]), x: numbers([0.5, 0.1, 2]) };
    expect(await choose(counted)).toMatchObject({ columns: ['x'], reasons: { row: 'counts the records' } });
  });

  it('reads the sequence beside a longer heading, and a lone column whatever it is called', async () => {
    const peptides = {
      id: texts(['P1', 'P2', 'P3']),
      description: texts([
        'Oxytocin OS=Homo sapiens OX=9606',
        'Bradykinin OS=Bos taurus',
        'Angiotensin-2 OS=Homo sapiens',
      ]),
      sequence: texts(['CYIQNCPLG', 'RPPGFSPFR', 'DRVYIHPF']),
    };
    expect(await choose(peptides)).toMatchObject({ kind: 'sequence', columns: ['sequence'] });
    expect(await choose({ name: texts(['Anna', 'Otto', 'Ida']) })).toMatchObject({ columns: ['name'] });
  });

  it('never reads a column that names parts, whatever it is called', async () => {
    const columns = {
      set: texts(times(5, ['train', 'train', 'valid', 'test'])),
      x: numbers(times(5, [4, 2, 8, 1])),
    };
    expect(await choose(columns)).toMatchObject({
      columns: ['x'],
      reasons: { set: 'says which records are for training' },
    });
  });

  it('does not take free text for a category', async () => {
    const names = ['Braund, Mr. Owen', 'Heikkinen, Miss Laina', 'Allen, Mr. William', 'Moran, Mr. James'];
    const fares = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`fare ${i}`, numbers([4, 2, 8, i])]),
    );
    const choice = await choose({ passenger: texts(names), ...fares });
    expect(choice.kind).toBe('fields');
    expect(choice.reasons).toEqual({ passenger: 'has too many different texts to be a category' });
  });

  it('takes any column name', async () => {
    const columns = {
      constructor: numbers([1, 2, 4]),
      toString: texts(['a', 'a', 'a']),
      x: numbers([3, 1, 2]),
    };
    expect(await choose(columns)).toMatchObject({ columns: ['constructor', 'x'], unused: ['toString'] });
  });

  it('does as it is asked', async () => {
    expect(await choose(events, { columns: ['label', 'lepton_pT'] })).toMatchObject({
      columns: ['label', 'lepton_pT'],
      warnings: [
        'column label is learned from and may be a label (its name says "label"); if it is, leave it out with --ignore',
      ],
    });
    expect(await choose(adult, { ignore: ['income'] })).toMatchObject({
      columns: ['age', 'workclass'],
      warnings: [],
    });
    expect(await choose(solubility, { kind: 'fields' })).toMatchObject({ columns: ['log_solubility'] });
    expect(await choose(adult, { columns: ['workclass'], kind: 'fields' })).toMatchObject({
      columns: ['workclass'],
    });
  });

  it('gives a tokenizer of a plug-in all columns that may be learned from', async () => {
    const choice = await choose(solubility, { kind: 'words' as TokenizerWishes['kind'] });
    expect(choice).toMatchObject({
      kind: 'words',
      columns: ['smiles', 'log_solubility'],
      why: 'as asked',
      unused: ['scaffold_split'],
    });
  });

  it('says what there is when a wish cannot be met', async () => {
    await expect(choose(adult, { columns: ['wage'] })).rejects.toThrow(
      'data.csv: there is no column "wage"; the columns are split, age, workclass, income',
    );
    await expect(choose(adult, { kind: 'grid' })).rejects.toThrow(
      'the grid tokenizer reads images; the columns are age',
    );
    await expect(choose({ label: numbers([1, 0]) })).rejects.toThrow(
      'no column is left to learn from (label:',
    );
  });
});
