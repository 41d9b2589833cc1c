/** Records as numbers without an encoder, for the simple predictors. */

import type { FeatureSet } from '../features/feature-set.js';
import { type SeriesRows, seriesRows } from '../features/series.js';
import { valueDimension, valueRows } from '../features/values.js';
import { morganFingerprints } from '../molecules/fingerprint.js';
import type { SparseRows } from '../numerics/sparse-ridge.js';
import type { Part } from '../records/split.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { labelOffsets } from '../scoring/label-rows.js';
import type { Features } from './methods/on-features.js';
import type { Session } from './suite.js';

const blockOf = ({ labelled }: Session, part: Part): TokenBlock => labelled[part].records;

/** Nothing but how many label rows there are: one for each record, or each token. */
export const rowCount: Features<number> = {
  name: 'none',
  dimension: () => 0,
  of: (session, part) => labelOffsets(session.labelled.spec, blockOf(session, part)).at(-1)!,
};

/**
 * The values of a table's cells or an image's pixels as the tokenizer standardises them, float32[records, dimension].
 * A categorical field is one-hot. A missing numeric cell is NaN.
 */
export const rawValues: Features<Float32Array> = {
  name: 'raw values',
  dimension: ({ tokenizer }) => rawDimension(tokenizer.spec),
  of: (session, part) => rawRows(session.tokenizer.spec, blockOf(session, part)),
};

const rawDimension = (spec: TokenSpec): number =>
  spec.kind === 'discrete' ? spec.vocabulary * (spec.vocabulary + 1) : valueDimension(spec);

const rawRows = (spec: TokenSpec, block: TokenBlock): Float32Array =>
  spec.kind === 'discrete' ? pairCounts(spec.vocabulary, block) : valueRows(spec, block);

/** Shares of each letter and each pair of neighbours in a sequence, float32[records, vocabulary · (vocabulary + 1)]. */
function pairCounts(vocabulary: number, { count, offsets, ids }: TokenBlock): Float32Array {
  const dimension = vocabulary * (vocabulary + 1);
  const rows = new Float32Array(count * dimension);
  for (let record = 0; record < count; record++) {
    const row = rows.subarray(record * dimension, (record + 1) * dimension);
    const share = 1 / (offsets[record + 1] - offsets[record]);
    for (let i = offsets[record]; i < offsets[record + 1]; i++) {
      row[ids![i]] += share;
      if (i > offsets[record]) row[vocabulary * (1 + ids![i - 1]) + ids![i]] += share;
    }
  }
  return rows;
}

/** Which letter stands at each position. */
export const positionOneHot: Features<SparseRows> = {
  name: 'letter at each position, one-hot',
  dimension: ({ tokenizer }) => tokenizer.spec.maxTokens * vocabularyOf(tokenizer.spec),
  of(session, part) {
    const { offsets, ids } = blockOf(session, part);
    const vocabulary = vocabularyOf(session.tokenizer.spec);
    const columns = new Int32Array(offsets[offsets.length - 1]);
    for (let record = 0; record + 1 < offsets.length; record++) {
      for (let i = offsets[record]; i < offsets[record + 1]; i++) {
        columns[i] = (i - offsets[record]) * vocabulary + ids![i];
      }
    }
    return { offsets, columns };
  },
};

const vocabularyOf = (spec: TokenSpec): number => (spec.kind === 'continuous' ? 0 : spec.vocabulary);

const FINGERPRINT_BITS = 1024;

/** Morgan fingerprints of molecules, float32[records, FINGERPRINT_BITS] of zeros and ones. */
export const fingerprints: Features<Float32Array> = {
  name: `Morgan fingerprints, radius 2, ${FINGERPRINT_BITS} bits`,
  dimension: () => FINGERPRINT_BITS,
  of: (session, part) =>
    session.shared(`fingerprints ${part}`, async () => {
      const { values } = await morganFingerprints(await session.texts(part), { bits: FINGERPRINT_BITS });
      return Float32Array.from(values);
    }),
};

/** A set of features, fitted to the training part. */
export function featuresOf(set: FeatureSet): Features<Float32Array> {
  const raw = async (session: Session, part: Part) => ({
    spec: session.tokenizer.spec,
    block: blockOf(session, part),
    ...(session.tokenizer.spec.kind === 'discrete' && { texts: await session.texts(part) }),
  });
  const stateOf = (session: Session) =>
    session.shared(`state of ${set.name}`, async () => set.fit(await raw(session, 'train')));
  return {
    name: set.name,
    dimension: async (session) => (await stateOf(session)).dimension,
    of: (session, part) =>
      session.shared(`${set.name} ${part}`, async () =>
        set.of(await raw(session, part), await stateOf(session)),
      ),
  };
}

/** Series as steps, for what compares them whole. */
export const wholeSeries: Features<SeriesRows> = {
  name: 'series',
  dimension: ({ tokenizer }) => rawDimension(tokenizer.spec),
  of: (session, part) => seriesRows(session.tokenizer.spec, blockOf(session, part)),
};
