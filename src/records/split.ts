/** Train, validation and test: by hashing ids, or from a column that names the part. */
import { InputError } from '../errors.js';
import { hashString, philox } from '../tensor/random.js';

export type Part = 'train' | 'valid' | 'test';

const PURPOSE = hashString('split');
const words = new Uint32Array(4);
const counter: [number, number, number, number] = [0, 0, 0, 0];
const key: [number, number] = [0, PURPOSE];

/**
 * The part a record belongs to: a pure function of its id and the seed, so that it never depends on the order or the
 * number of records. Raising `valid` leaves the test part as it is. Throws InputError for impossible fractions.
 */
export function partOf(id: string, seed: number, fractions: { valid: number; test: number }): Part {
  const { valid, test } = fractions;
  if (!(valid >= 0 && test >= 0 && valid + test <= 1)) {
    throw new InputError(
      `split: expected fractions of at least 0 that sum to at most 1, got valid ${valid} and test ${test}`,
    );
  }
  if (valid + test === 0) return 'train';
  counter[0] = hashString(id);
  counter[1] = id.length;
  counter[2] = Math.floor(seed / 2 ** 32) >>> 0;
  key[0] = seed >>> 0;
  philox(words, counter, key);
  const position = words[0] / 2 ** 32;
  if (position < test) return 'test';
  return position < test + valid ? 'valid' : 'train';
}

const names: readonly [RegExp, Part][] = [
  [/^train(ing)?([ _-].*)?$/, 'train'],
  [/^(valid(ation)?|val|dev(elopment)?)([ _-].*)?$/, 'valid'],
  [/^(test(ing)?|holdout)([ _-].*)?$/, 'test'],
];

/** The part a cell of a split column names (`train`, `validation`, `dev`, `test_fold` …); undefined for any other word. */
export function partNamed(cell: string): Part | undefined {
  const word = cell.trim().toLowerCase();
  return names.find(([pattern]) => pattern.test(word))?.[1];
}
