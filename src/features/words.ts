import { InputError } from '../errors.js';
import type { FeatureSet, FeatureState, RawRecords } from './feature-set.js';

/** Columns of a set: the terms that most training texts have. */
const MOST_TERMS = 4096;

function textsOf({ texts, block }: RawRecords): readonly string[] {
  if (texts?.length === block.count) return texts;
  throw new InputError(
    `features of texts: expected a text for each of ${block.count} records, got ${texts?.length ?? 'none'}`,
  );
}

const wordsOf = (text: string): string[] => {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...words, ...words.slice(1).map((word, i) => `${words[i]} ${word}`)];
};

/** Runs of 2 to 5 characters within words, each word between spaces. */
function* runsOf(text: string): Iterable<string> {
  for (const word of text.toLowerCase().split(/\s+/)) {
    const padded = ` ${word} `;
    for (let length = 2; length <= 5; length++) {
      for (let i = 0; i + length <= padded.length; i++) yield padded.slice(i, i + length);
    }
  }
}

/**
 * TF-IDF (Salton & Buckley 1988) as scikit-learn has it with `sublinear_tf`: (1 + ln count) · (ln((1 + n) / (1 + texts with
 * the term)) + 1), rows of length 1. The terms are those that most training texts have, of at least two texts each.
 */
const tfIdf = (
  name: string,
  description: string,
  termsOf: (text: string) => Iterable<string>,
  terms: string,
): FeatureSet => ({
  name,
  description,
  fit(train) {
    const texts = textsOf(train);
    const having = new Map<string, number>();
    for (const text of texts) {
      for (const term of new Set(termsOf(text))) having.set(term, (having.get(term) ?? 0) + 1);
    }
    const kept = [...having]
      .filter(([, count]) => count >= 2)
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .slice(0, MOST_TERMS);
    return {
      name,
      dimension: kept.length,
      vocabulary: kept.map(([term]) => term),
      weights: kept.map(([, count]) => Math.log((1 + texts.length) / (1 + count)) + 1),
    };
  },
  of(records, { dimension, vocabulary = [], weights = [] }: FeatureState) {
    const columns = new Map(vocabulary.map((term, column) => [term, column]));
    const texts = textsOf(records);
    const rows = new Float32Array(texts.length * dimension);
    texts.forEach((text, record) => {
      const row = rows.subarray(record * dimension, (record + 1) * dimension);
      const touched = new Set<number>();
      for (const term of termsOf(text)) {
        const column = columns.get(term);
        if (column === undefined) continue;
        row[column]++;
        touched.add(column);
      }
      let squares = 0;
      for (const column of touched) {
        row[column] = (1 + Math.log(row[column])) * weights[column];
        squares += row[column] ** 2;
      }
      for (const column of touched) row[column] /= Math.sqrt(squares);
    });
    return rows;
  },
  made: {
    of: 'text',
    columns: (_, { vocabulary = [] }) => ({
      computation: `Terms are ${terms}. A term that a text has c times has (1 + ln c) · w, with the weight w of its column; the row is then divided by its Euclidean length.`,
      names: vocabulary,
    }),
  },
});

export const words = tfIdf(
  'words',
  'TF-IDF of words and pairs of words',
  wordsOf,
  'the words of the text in lower case, a word being letters and digits without a gap (/[\\p{L}\\p{N}]+/u), and pairs of neighbouring words with a space between them',
);

export const runsOfCharacters = tfIdf(
  'runs of characters',
  'TF-IDF of runs of two to five characters within words',
  runsOf,
  'the runs of 2 to 5 characters of each word in lower case, words being what white space parts, with a space before and behind each',
);
