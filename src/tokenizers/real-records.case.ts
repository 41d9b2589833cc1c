/** A few real records of each kind of data, tokenized: for the suites that every encoder and objective must pass. */
import { createRequire } from 'node:module';
import type { TokenBlock } from '../records/token-block.js';
import { fields } from './fields.js';
import { grid } from './grid.js';
import { sequence } from './sequence.js';
import { numbers, records, texts } from './tokenizer.case.js';
import type { Tokenizer } from './tokenizer.js';

/** Drugs and food additives, as PubChem writes them. */
export const molecules = [
  'CC(=O)OC1=CC=CC=C1C(=O)O',
  'CC(=O)NC1=CC=C(C=C1)O',
  'CN1C=NC2=C1C(=O)N(C(=O)N2C)C',
  'CC(C)CC1=CC=C(C=C1)C(C)C(=O)O',
  'C1=CC=C(C=C1)C(=O)O',
  'C(C(=O)O)C(CC(=O)O)(C(=O)O)O',
  'CC(C(=O)O)O',
  'CCO',
  'C1=CC(=CC=C1O)O',
  'COC1=C(C=CC(=C1)C=O)O',
  'CN1CCCC1C2=CN=CC=C2',
  'C1=CC=C2C(=C1)C=CN2',
  'CC1=CC(=O)NS(=O)(=O)O1',
  'C(CC(=O)O)C(C(=O)O)N',
  'C1=CN=CC=C1C(=O)NN',
  'CC(C)NCC(COC1=CC=CC2=CC=CC=C21)O',
];

/** Sepal and petal sizes of irises (Fisher, 1936) with their species; two cells are blanked. */
const irises: [number, number, number, number, string | null][] = [
  [5.1, 3.5, 1.4, 0.2, 'setosa'],
  [4.9, 3.0, 1.4, 0.2, 'setosa'],
  [4.7, 3.2, 1.3, 0.2, 'setosa'],
  [4.6, 3.1, 1.5, 0.2, 'setosa'],
  [5.0, 3.6, Number.NaN, 0.2, 'setosa'],
  [7.0, 3.2, 4.7, 1.4, 'versicolor'],
  [6.4, 3.2, 4.5, 1.5, 'versicolor'],
  [6.9, 3.1, 4.9, 1.5, null],
  [5.5, 2.3, 4.0, 1.3, 'versicolor'],
  [6.5, 2.8, 4.6, 1.5, 'versicolor'],
  [6.3, 3.3, 6.0, 2.5, 'virginica'],
  [5.8, 2.7, 5.1, 1.9, 'virginica'],
  [7.1, 3.0, 5.9, 2.1, 'virginica'],
  [6.3, 2.9, 5.6, 1.8, 'virginica'],
  [6.5, 3.0, 5.8, 2.2, 'virginica'],
  [7.6, 3.0, 6.6, 2.1, 'virginica'],
];

/** Sixteen handwritten sevens of MNIST, which the package gives as grey values from 0 to 1. */
const { data } = createRequire(import.meta.url)('mnist/src/digits/7.json') as { data: number[] };
const sevens = Uint8Array.from(data.slice(0, 16 * 28 * 28), (grey) => Math.round(grey * 255));

export interface RealRecords {
  readonly tokenizer: Tokenizer;
  readonly block: TokenBlock;
}

const column = (index: 0 | 1 | 2 | 3) => numbers(irises.map((iris) => iris[index]));

/** Sixteen records of each kind of token specification. */
export async function realRecords(): Promise<Record<'discrete' | 'fields' | 'continuous', RealRecords>> {
  const smiles = records({ smiles: texts(molecules) }, molecules.length);
  const flowers = records(
    {
      sepal_length: column(0),
      sepal_width: column(1),
      petal_length: column(2),
      petal_width: column(3),
      species: texts(irises.map((iris) => iris[4])),
    },
    irises.length,
  );
  const digits = records({ image: { type: 'pixels', values: sevens, shape: [28, 28, 1] } }, 16);
  const fitted = {
    discrete: await sequence.fit([smiles], { columns: ['smiles'], maxTokens: 40 }),
    fields: await fields.fit([flowers], { columns: Object.keys(flowers.columns) }),
    continuous: await grid.fit([digits], { columns: ['image'], patch: 7 }),
  };
  return {
    discrete: { tokenizer: fitted.discrete, block: fitted.discrete.encode(smiles) },
    fields: { tokenizer: fitted.fields, block: fitted.fields.encode(flowers) },
    continuous: { tokenizer: fitted.continuous, block: fitted.continuous.encode(digits) },
  };
}
