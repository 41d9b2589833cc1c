import { describe, expect, it } from 'vitest';
import type { ColumnValues } from '../records/record-batch.js';
import { choose } from './choose.case.js';
import type { TokenizerWishes } from './index.js';
import { numbers, texts } from './tokenizer.case.js';

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
  it('reads lists of numbers, whose name alone does not make them an id', async () => {
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    const ids: ColumnValues = { type: 'series', values, offsets: Int32Array.of(0, 4, 8, 12), channels: 1 };
    const choice = await choose({ ids, x: numbers([1.5, 2, 3]), z: numbers([3, 1, 2]) });
    expect(choice.columns).toContain('ids');
  });

  it('reads the text column that dominates, never a split', async () => {
    const choice = await choose(solubility);
    expect(choice).toEqual({
      kind: 'sequence',
      columns: ['smiles'],
      why: 'column smiles holds text, 32 characters on average',
      unused: ['log_solubility', 'scaffold_split'],
      reasons: {
        log_solubility: 'may be a label: numbers beside the text column "smiles"',
        scaffold_split: 'says which records are for training',
      },
      warnings: [
        'column log_solubility is left out (may be a label: numbers beside the text column "smiles"); to read it beside the first 32 letters of smiles, name all in --columns',
      ],
      warned: ['log_solubility'],
    });
  });

  it('reads a table of numbers and categories as fields, without what looks like a label', async () => {
    const choice = await choose(adult);
    expect(choice).toMatchObject({
      kind: 'fields',
      columns: ['age', 'workclass'],
      kinds: { age: 'number', workclass: 'category' },
      unused: ['split', 'income'],
    });
    expect(choice.why).toBe('a table of 1 numeric and 1 categorical columns');
    expect(choice.warnings).toEqual([
      'column income is left out (may be a label: the last column, with only 2 values); name it in --columns to read it',
    ]);
  });

  it('learns from a likely label rather than from a lone number', async () => {
    const columns = { x: numbers(times(10, [0.5, 2, 4])), kept: numbers(times(10, [0, 1, 1])) };
    const choice = await choose(columns);
    expect(choice.columns).toEqual(['x', 'kept']);
    expect(choice.warnings).toEqual([
      'column kept is learned from, since only x would be left, and may be a label (the last column, with only 2 values); if it is, leave it out with --ignore',
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
      'column label is left out (its name is that of a label); name it in --columns to read it',
    ]);
  });

  it('reads a column called class where another one is to be predicted, and none that is called a label', async () => {
    const columns = {
      class: texts(['first', 'third', 'third']),
      label: numbers([0, 1, 1]),
      age: numbers([4, 30, 2]),
    };
    expect((await choose(columns)).columns).toEqual(['age']);
    const choice = await choose(
      { ...columns, survived: texts(['yes', 'no', 'yes']) },
      { targets: ['survived'] },
    );
    expect(choice.columns).toEqual(['class', 'age']);
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
    const visits = { id: numbers([1, 1, 2, 2, 2]), pulse: numbers([61, 70, 58, 88, 64]) };
    expect(await choose(visits)).toMatchObject({
      columns: ['pulse'],
      warnings: [
        'column id is left out (an id, with 2 values in 5 records); name it in --columns to read it',
      ],
    });
    const counted = { row: numbers([4, 5, 6]), x: numbers([0.5, 0.1, 2]) };
    expect(await choose(counted)).toMatchObject({ columns: ['x'], reasons: { row: 'counts the records' } });
  });

  it('leaves out the names of the rows of a table of numbers, but not a text beside other texts', async () => {
    // Motor Trend, 1974.
    const cars = {
      model: texts(
        'Mazda RX4,Mazda RX4 Wag,Datsun 710,Hornet 4 Drive,Hornet Sportabout,Valiant,Duster 360,Merc 240D,Merc 230,Merc 280'.split(
          ',',
        ),
      ),
      miles: numbers([21, 21, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2]),
      horsepower: numbers([110, 110, 93, 110, 175, 105, 245, 62, 95, 123]),
      weight: numbers([2.62, 2.875, 2.32, 3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44]),
    };
    const plan = await choose(cars);
    expect(plan).toMatchObject({ kind: 'fields', columns: ['miles', 'horsepower', 'weight'] });
    expect(plan.warnings).toEqual([expect.stringMatching(/^column model is left out .*names of rows/)]);
    const read = { kind: 'fields', columns: ['model', 'miles', 'horsepower', 'weight'] };
    expect(await choose({ ...cars, note: cars.model })).toMatchObject({ columns: [...read.columns, 'note'] });
    const { model, ...others } = cars;
    expect(await choose({ ...others, model })).toMatchObject({ columns: [...Object.keys(others), 'model'] });
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

  it('says in one line what is left out for one reason', async () => {
    const tasks = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`NR-${i}`, numbers([0, 1, (i + 1) % 2])]),
    );
    const { columns, warnings } = await choose({ smiles: texts(molecules), ...tasks });
    expect(columns).toEqual(['smiles']);
    expect(warnings).toEqual([
      'columns NR-0, NR-1, NR-2, NR-3, NR-4, NR-5, NR-6, NR-7 and 2 more are left out (may be a label); to read them beside the first 32 letters of smiles, name all in --columns',
    ]);
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
      warnings: [],
    });
    expect(await choose(adult, { ignore: ['income'] })).toMatchObject({
      columns: ['age', 'workclass'],
      warnings: [],
    });
    expect(await choose(solubility, { kind: 'fields' })).toMatchObject({
      columns: ['smiles', 'log_solubility'],
      kinds: { smiles: 'text', log_solubility: 'number' },
    });
    expect(await choose(solubility, { columns: ['smiles', 'log_solubility'] })).toMatchObject({
      kind: 'fields',
      columns: ['smiles', 'log_solubility'],
    });
    expect(await choose(adult, { columns: ['workclass'], kind: 'fields' })).toMatchObject({
      columns: ['workclass'],
    });
  });

  it('gives a tokenizer of a plug-in all columns that may be learned from', async () => {
    const kind = 'words' as TokenizerWishes['kind'];
    const names = { name: texts(['Amygdalin', 'Fenfuram', 'Citral']), mass: numbers([457, 201, 152]) };
    expect(await choose({ ...names, ...events }, { kind })).toMatchObject({
      kind: 'words',
      columns: ['mass', 'lepton_pT', 'lepton_eta'],
      why: 'as asked',
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
