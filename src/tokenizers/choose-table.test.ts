import { describe, expect, it } from 'vitest';
import { choose } from './choose.case.js';
import { numbers, seriesColumn, texts } from './tokenizer.case.js';

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
describe('the choice of the columns of a table', () => {
  it('reads every kind of column beside the others', async () => {
    const count = 40;
    const each = <T>(of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i));
    const columns = {
      sold: numbers(each((i) => 1.7e9 + 600 * i)),
      price: numbers(each((i) => 5_533_000 - 1000 * i)),
      garden: texts(each((i) => ['TRUE', 'False', 'true'][i % 3])),
      street: texts(each((i) => `${i + 12} Rue de la Paix, ${75_000 + i} Paris`)),
      agent: texts(each((i) => ['Müller', 'Lam'][i % 2])),
      photo: seriesColumn(each((i) => [i, i / 2, 1 - i, 4])),
      area: numbers(each((i) => 30 + i / 7)),
    };
    const choice = await choose(
      columns,
      {},
      {
        sold: { kind: 'date', holds: 'date and time', order: 'ymd' },
        price: { kind: 'number', decimal: '.', thousands: ',', unit: '$' },
        garden: { kind: 'boolean' },
      },
    );
    expect(choice).toMatchObject({
      kind: 'fields',
      columns: Object.keys(columns),
      kinds: {
        sold: 'date',
        price: 'number',
        garden: 'boolean',
        street: 'text',
        agent: 'category',
        photo: 'vector',
        area: 'number',
      },
      why: 'a table of 2 numeric, 1 date, 1 boolean, 1 categorical, 1 text and 1 list columns',
      warnings: [],
    });
  });

  it('hashes categories with more than 256 levels that come back', async () => {
    const zip = Array.from({ length: 1200 }, (_, i) => `${10_000 + (i % 400)}`);
    const choice = await choose({ zip: texts(zip), fare: numbers(zip.map((_, i) => i / 3)) });
    expect(choice.kinds).toEqual({ zip: 'hashed', fare: 'number' });
    expect(choice.why).toBe('a table of 1 numeric and 1 many-level categorical columns');
  });

  const passengers = Array.from({ length: 30 }, (_, i) => `Braund, Mr. Owen Harris ${i}`);
  const age = numbers(passengers.map((_, i) => 20 + i / 2));
  const fare = numbers(passengers.map((_, i) => i ** 2 / 7));

  it('is never taken over by what names a record, and says that it is left out', async () => {
    const uuid = (i: number) => `123e4567-e89b-12d3-a456-4266141740${10 + i}`;
    const naming: Record<string, [string[], string]> = {
      Name: [passengers, 'names the record'],
      session: [passengers.map((_, i) => uuid(i)), 'names the record by a UUID'],
      digest: [
        passengers.map((_, i) => `d41d8cd98f00b204e9800998ecf842${10 + i}`),
        'names the record by a hash',
      ],
    };
    for (const [name, [values, reason]] of Object.entries(naming)) {
      const choice = await choose({ [name]: texts(values), age, fare });
      expect(choice).toMatchObject({ kind: 'fields', columns: ['age', 'fare'], reasons: { [name]: reason } });
      expect(choice.warnings).toEqual([
        `column ${name} is left out (${reason}); name it in --columns to read it`,
      ]);
    }
  });

  it('reads other texts beside numbers by their letters', async () => {
    const others = {
      passenger: passengers,
      ip: passengers.map((_, i) => `192.168.10.${i}`),
      mail: passengers.map((_, i) => `owen.harris.braund.${i}@example.org`),
      page: passengers.map((_, i) => `https://example.org/passengers/by-name/braund-${i}`),
      scan: passengers.map((_, i) => `/archive/manifests/southampton/page-${i}.png`),
      ticket: passengers.map((_, i) => `A/5 211${i}`),
    };
    for (const [name, values] of Object.entries(others)) {
      const choice = await choose({ [name]: texts(values), age, fare });
      expect(choice, name).toMatchObject({ kind: 'fields', columns: [name, 'age', 'fare'] });
      expect(choice.kinds, name).toEqual({ [name]: 'text', age: 'number', fare: 'number' });
    }
  });

  it('reads prose alone only if it is by far the longest, and says what it does not read', async () => {
    const sentence = 'the wing in a slipstream was found to lift more than the theory predicts';
    const lift = Object.fromEntries(
      Array.from({ length: 6 }, (_, i) => [`lift ${i}`, numbers([0.1, 0.4, 2 + i])]),
    );
    const abstract = (n: number) => texts(['', ' again', ' twice'].map((end) => sentence.repeat(n) + end));
    expect(await choose({ abstract: abstract(1), ...lift })).toMatchObject({ kind: 'fields' });
    const long = await choose({ abstract: abstract(9), ...lift });
    expect(long).toMatchObject({ kind: 'sequence', columns: ['abstract'] });
    expect(long.warnings).toHaveLength(1);
    expect(long.warnings[0]).toMatch(/^columns lift 0, .*, lift 5 are left out/);
    // As a table all is read.
    const table = await choose({ abstract: abstract(9), ...lift }, { kind: 'fields' });
    expect(table).toMatchObject({ columns: ['abstract', ...Object.keys(lift)], warnings: [] });
  });

  it('reads the other columns where the dominating text is ignored', async () => {
    const choice = await choose({ ...solubility, mass: numbers([457, 201, 152]) }, { ignore: ['smiles'] });
    expect(choice).toMatchObject({ kind: 'fields', columns: ['log_solubility', 'mass'], warnings: [] });
  });

  it('reads lists of one length as vectors, and longer or varying ones as time series', async () => {
    const weight = numbers([3, 1, 2]);
    const equal = seriesColumn([
      [1, 2],
      [3, 4],
      [5, 7],
    ]);
    const varying = seriesColumn([[1, 2], [3], [5, 7, 8]]);
    expect(await choose({ equal })).toMatchObject({ kind: 'fields', kinds: { equal: 'vector' } });
    expect(await choose({ equal }, { kind: 'series' })).toMatchObject({ kind: 'series' });
    expect(await choose({ equal }, {}, {}, 'ts')).toMatchObject({ kind: 'series', columns: ['equal'] });
    const long = seriesColumn([Array(257).fill(1), Array(257).fill(2)]);
    expect(await choose({ long })).toMatchObject({ kind: 'series' });
    expect(await choose({ equal, weight })).toMatchObject({
      kind: 'fields',
      kinds: { equal: 'vector', weight: 'number' },
    });
    const alone = await choose({ equal, varying, weight });
    expect(alone).toMatchObject({ kind: 'series', columns: ['varying'] });
    expect(alone.warnings).toEqual([
      'columns equal, weight are left out (only the time series of varying are read); to read them without varying, name them in --columns',
    ]);
    const motion = seriesColumn(
      [
        [1, 2],
        [3, 4],
        [5, 7],
      ],
      2,
    );
    expect(await choose({ motion, weight })).toMatchObject({ kind: 'series', columns: ['motion'] });
  });
});
