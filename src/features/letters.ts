import * as g from '../graph/index.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { unfitted } from './feature-set.js';

/** Columns that runs of three letters are hashed to where there are more of them. */
const MOST_TRIPLES = 4096;

const vocabularyOf = (spec: TokenSpec): number => (spec.kind === 'continuous' ? 0 : spec.vocabulary);

/** Columns of runs of one, two and three letters, and one for the length. */
function runDimension(spec: TokenSpec): number {
  const letters = vocabularyOf(spec);
  return letters + letters ** 2 + Math.min(letters ** 3, MOST_TRIPLES) + 1;
}

/**
 * Shares of each letter, pair and triple of neighbours in a sequence, and the logarithm of its length, float32[records,
 * dimension]. Triples share columns by a hash where there are more than 4,096.
 */
function runs(spec: TokenSpec, { count, offsets, ids }: TokenBlock): Float32Array {
  const letters = vocabularyOf(spec);
  const dimension = runDimension(spec);
  const triples = Math.min(letters ** 3, MOST_TRIPLES);
  const rows = new Float32Array(count * dimension);
  for (let record = 0; record < count; record++) {
    const row = rows.subarray(record * dimension, (record + 1) * dimension);
    const [begin, end] = [offsets[record], offsets[record + 1]];
    const share = 1 / Math.max(1, end - begin);
    for (let i = begin; i < end; i++) {
      row[ids![i]] += share;
      if (i === begin) continue;
      const pair = ids![i - 1] * letters + ids![i];
      row[letters + pair] += share;
      if (i < begin + 2) continue;
      const triple = ids![i - 2] * letters ** 2 + pair;
      // The number itself where each has a column; else Knuth's multiplicative hash.
      const column = triples < MOST_TRIPLES ? triple : (Math.imul(triple, 2654435761) >>> 0) % triples;
      row[letters + letters ** 2 + column] += share;
    }
    row[dimension - 1] = Math.log1p(end - begin);
  }
  return rows;
}

export const lettersAndRuns = unfitted(
  'runs of letters',
  'shares of runs of one, two and three letters, and the length',
  runDimension,
  ({ spec, block }) => runs(spec, block),
  {
    of: 'text',
    columns: ({ spec, tokenLabel }) => {
      const letters = Array.from({ length: vocabularyOf(spec) }, (_, id) => tokenLabel(0, id));
      const pairs = letters.flatMap((first) => letters.map((second) => `${first} ${second}`));
      const hashed = letters.length ** 3 >= MOST_TRIPLES;
      const triples = hashed
        ? Array.from({ length: MOST_TRIPLES }, (_, column) => `triples of hash ${column}`)
        : pairs.flatMap((first) => letters.map((second) => `${first} ${second}`));
      const hash = hashed
        ? ` A triple of the ids a, b, c has the hash ((${letters.length}² · a + ${letters.length} · b + c) · 2654435761 mod 2³²) mod ${MOST_TRIPLES}.`
        : '';
      return {
        computation: `How often each letter, each pair and each triple of neighbours stands among the first ${spec.maxTokens} letters of the text, divided by the number of these letters; last ln(1 + letters).${hash}`,
        names: [...letters, ...pairs, ...triples, 'ln(1 + letters)'],
      };
    },
  },
);

const positionDimension = (spec: TokenSpec): number =>
  spec.kind === 'discrete' ? spec.maxTokens * spec.vocabulary : 0;

export const positions = unfitted(
  'letters by position',
  'which letter stands at each position',
  positionDimension,
  ({ spec, block: { count, offsets, ids } }) => {
    const letters = vocabularyOf(spec);
    const dimension = positionDimension(spec);
    const rows = new Float32Array(count * dimension);
    for (let record = 0; record < count; record++) {
      for (let i = offsets[record]; i < offsets[record + 1]; i++) {
        rows[record * dimension + (i - offsets[record]) * letters + ids![i]] = 1;
      }
    }
    return rows;
  },
  {
    graph: (spec, { ids, padding, batch, count }) => {
      const letters = g.oneHot(ids!, vocabularyOf(spec));
      const present = g.logicalNot(g.reshape(padding, [batch, count, 1]));
      return g.reshape(g.where(present, letters, g.scalar(0)), [batch, positionDimension(spec)]);
    },
  },
);
