/** A few real records of each kind of data, tokenized: for the suites that every encoder and objective must pass. */
import { createRequire } from 'node:module';
import type { TokenBlock } from '../records/token-block.js';
import { fields } from './fields.js';
import { grid } from './grid.js';
import { sequence } from './sequence.js';
import { series } from './series.js';
import { numbers, records, seriesColumn, texts } from './tokenizer.case.js';
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

/** Yearly mean sunspot numbers, one series a solar cycle, from the minimum of 1755 to that of 1933 (NOAA, National Geophysical Data Center). */
export const sunspots: readonly (readonly number[])[] = [
  [9.6, 10.2, 32.4, 47.6, 54, 62.9, 85.9, 61.2, 45.1, 36.4, 20.9],
  [11.4, 37.8, 69.8, 106.1, 100.8, 81.6, 66.5, 34.8, 30.6],
  [7, 19.8, 92.5, 154.4, 125.9, 84.8, 68.1, 38.5, 22.8],
  [10.2, 24.1, 82.9, 132, 130.9, 118.1, 89.9, 66.6, 60, 46.9, 41, 21.3, 16, 6.4],
  [4.1, 6.8, 14.5, 34, 45, 43.1, 47.5, 42.2, 28.1, 10.1, 8.1, 2.5],
  [0, 1.4, 5, 12.2, 13.9, 35.4, 45.8, 41.1, 30.1, 23.9, 15.6, 6.6, 4],
  [1.8, 8.5, 16.6, 36.3, 49.6, 64.2, 67, 70.9, 47.8, 27.5],
  [8.5, 13.2, 56.9, 121.5, 138.3, 103.2, 85.7, 64.6, 36.7, 24.2],
  [10.7, 15, 40.1, 61.5, 98.5, 124.7, 96.3, 66.6, 64.5, 54.1, 39, 20.6, 6.7],
  [4.3, 22.7, 54.8, 93.8, 95.8, 77.2, 59.1, 44, 47, 30.5, 16.3],
  [7.3, 37.6, 74, 139, 111.2, 101.6, 66.2, 44.7, 17, 11.3, 12.4],
  [3.4, 6, 32.3, 54.3, 59.7, 63.7, 63.5, 52.2, 25.4, 13.1, 6.8],
  [6.3, 7.1, 35.6, 73, 85.1, 78, 64, 41.8, 26.2, 26.7, 12.1, 9.5],
  [2.7, 5, 24.4, 42, 63.5, 53.8, 62, 48.5, 43.9, 18.6, 5.7, 3.6],
  [1.4, 9.6, 47.4, 57.1, 103.9, 80.6, 63.6, 37.6, 26.1, 14.2],
  [5.8, 16.7, 44.3, 63.9, 69, 77.8, 64.9, 35.7, 21.2, 11.1],
];

export interface RealRecords {
  readonly tokenizer: Tokenizer;
  readonly block: TokenBlock;
}

const column = (index: 0 | 1 | 2 | 3) => numbers(irises.map((iris) => iris[index]));

/** Sixteen records of each kind of token specification; of the continuous kind also some of varying length. */
export async function realRecords(): Promise<
  Record<'discrete' | 'fields' | 'continuous' | 'series', RealRecords>
> {
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
  const cycles = records({ series: seriesColumn(sunspots) }, 16);
  const fitted = {
    discrete: await sequence.fit([smiles], { columns: ['smiles'], maxTokens: 40 }),
    fields: await fields.fit([flowers], { columns: Object.keys(flowers.columns) }),
    continuous: await grid.fit([digits], { columns: ['image'], patch: 7 }),
    series: await series.fit([cycles], { columns: ['series'] }),
  };
  return {
    discrete: { tokenizer: fitted.discrete, block: fitted.discrete.encode(smiles) },
    fields: { tokenizer: fitted.fields, block: fitted.fields.encode(flowers) },
    continuous: { tokenizer: fitted.continuous, block: fitted.continuous.encode(digits) },
    series: { tokenizer: fitted.series, block: fitted.series.encode(cycles) },
  };
}
