/** Train, validation and test: by hashing ids, or from a column that names the part. */
import { InputError } from '../errors.js';
import { hashString, philox } from '../tensor/random.js';

/** The parts of a data set, in the order in which they are read. */
export const PARTS = ['train', 'valid', 'test'] as const;

export type Part = (typeof PARTS)[number];

/**
 * How parts can be drawn: record by record, equal ones together; row by row, equal or not; or molecules of one scaffold together,
 * the large groups in training or by chance.
 */
export const SPLIT_DRAWS = ['random', 'rows', 'scaffold', 'scaffold-balanced'] as const;

export type SplitDraw = (typeof SPLIT_DRAWS)[number];

/** The draw of every split, whatever the seed of a training, so that runs of several seeds hold out the same records. */
export const SPLIT_SEED = 0;

/** Parts of all records that are held out. */
export interface HeldOut {
  readonly valid: number;
  readonly test: number;
}

const PURPOSE = hashString('split');
const words = new Uint32Array(4);
const counter: [number, number, number, number] = [0, 0, 0, 0];
const key: [number, number] = [0, PURPOSE];

/**
 * The part of a record with a key of two words: a pure function of the key and the seed, so that it never depends on the
 * order or the number of records. Raising `valid` leaves the test part as it is. Throws InputError for impossible fractions.
 */
export function partOfKey(first: number, second: number, seed: number, { valid, test }: HeldOut): Part {
  if (!(valid >= 0 && test >= 0 && valid + test <= 1)) {
    throw new InputError(
      `split: expected fractions of at least 0 that sum to at most 1, got valid ${valid} and test ${test}`,
    );
  }
  if (valid + test === 0) return 'train';
  counter[0] = first;
  counter[1] = second;
  counter[2] = Math.floor(seed / 2 ** 32) >>> 0;
  key[0] = seed >>> 0;
  philox(words, counter, key);
  const position = words[0] / 2 ** 32;
  if (position < test) return 'test';
  return position < test + valid ? 'valid' : 'train';
}

/** The part of a record that is known by an id; see `partOfKey`. */
export const partOf = (id: string, seed: number, heldOut: HeldOut): Part =>
  partOfKey(hashString(id), id.length, seed, heldOut);

const names: readonly [RegExp, Part][] = [
  [/^train(ing)?([ _-].*)?$/, 'train'],
  [/^(valid(ation)?|val|dev(elopment)?|eval(uation)?)([ _-].*)?$/, 'valid'],
  [/^(test(ing)?|(hold|held)[ _-]?out)([ _-].*)?$/, 'test'],
];

/** The part a cell of a split column names (`train`, `validation`, `dev`, `eval`, `test_fold` …); undefined for any other word. */
export function partNamed(cell: string): Part | undefined {
  const word = cell.trim().toLowerCase();
  return names.find(([pattern]) => pattern.test(word))?.[1];
}

/** What a cell of a validation column says, such as `True` or 0; undefined for any other word. An empty cell says no. */
export function flagNamed(cell: string): boolean | undefined {
  const word = cell.trim().toLowerCase();
  if (/^(true|t|yes|y|1)$/.test(word)) return true;
  return /^(false|f|no|n|0|)$/.test(word) ? false : undefined;
}
