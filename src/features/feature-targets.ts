/** Features of records as what a network learns to predict of them, beside what its objective hides. */
import { InputError, listed } from '../errors.js';
import type { RecordFeatures } from '../learning/feature-loss.js';
import { firstRecords, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { type FeatureSet, featureSetsFor } from './index.js';

/** Standardised features of the records of any block. */
export interface FeatureTargets extends RecordFeatures {
  readonly dimension: number;
  /** What they are, for people. */
  readonly words: string;
}

/** The training records that tell what features there are, and how large they are. */
const LOOKED_AT = 2000;
/** A column is predicted where so large a share of them differs from its commonest value, which is nearly always 0. */
const VARYING = 0.002;
/** Standardised values end here, so that one strange record does not rule a batch. */
const LARGEST = 6;
/** Of more columns than this those are predicted that most records differ in. */
const MOST_COLUMNS = 2048;
/** The most values that are kept, so that they are not computed again in every epoch. */
const KEPT_VALUES = 1 << 24;

/**
 * The features `name` (see `featureSetsFor`) of texts, standardised by the first training records in `block`. A record whose
 * features are all 0, such as a molecule that RDKit does not read, has none. Throws InputError for tokens of no text, features
 * that do not suit, and where fewer than half of the records have some.
 */
export async function featureTargets(
  name: string,
  tokenizer: Tokenizer,
  block: TokenBlock,
): Promise<FeatureTargets> {
  const { spec, text } = tokenizer;
  if (!text)
    throw new InputError(
      `training.feature_targets: are features of texts, and the tokenizer ${tokenizer.kind} reads none; leave it out`,
    );
  const raw = (some: TokenBlock) => ({
    spec,
    block: some,
    texts: Array.from({ length: some.count }, (_, record) =>
      text.read(some.ids!.subarray(some.offsets[record], some.offsets[record + 1])),
    ),
  });
  const looked = raw(firstRecords(block, LOOKED_AT));
  const set = await setNamed(name, looked);
  const state = await set.fit(looked);
  const { dimension: all } = state;
  const sample = await set.of(looked, state);
  const { columns, means, deviations, known } = columnsOf(sample, all);
  if (2 * known < looked.block.count || columns.length === 0)
    throw new InputError(
      `training.feature_targets: ${known} of the first ${looked.block.count} records have ${name}; choose another set, or leave it out`,
    );
  const dimension = columns.length;
  /** By the row of the file, which has the same molecule in every epoch. */
  const kept = new Map<number, Float32Array | undefined>();

  /** The rows of some records, undefined for one without features. */
  async function rowsOf(own: TokenBlock): Promise<(Float32Array | undefined)[]> {
    const values = await set.of(raw(own), state);
    return Array.from({ length: own.count }, (_, record) => {
      const row = values.subarray(record * all, (record + 1) * all);
      if (row.every((value) => !(value !== 0))) return undefined;
      return Float32Array.from(columns, (column, i) => {
        const z = (row[column] - means[i]) / deviations[i];
        return Number.isNaN(z) ? 0 : Math.max(-LARGEST, Math.min(LARGEST, z));
      });
    });
  }

  return {
    dimension,
    words: `${name}, ${dimension} of ${all} columns (the others differ less among the first ${looked.block.count} records)`,
    async of(some, records, size) {
      const missing = Int32Array.from(Array.from(records).filter((record) => !kept.has(some.rows[record])));
      const found = new Map<number, Float32Array | undefined>();
      if (missing.length > 0) {
        const rows = await rowsOf(takeRecords(some, missing));
        missing.forEach((record, i) => {
          found.set(record, rows[i]);
          if ((kept.size + 1) * dimension <= KEPT_VALUES) kept.set(some.rows[record], rows[i]);
        });
      }
      const features = new Float32Array(size * dimension);
      const described = new Float32Array(size);
      for (let row = 0; row < records.length; row++) {
        const record = records[row];
        const own = found.has(record) ? found.get(record) : kept.get(some.rows[record]);
        if (!own) continue;
        features.set(own, row * dimension);
        described[row] = 1;
      }
      return {
        features: hostTensor('float32', [size, dimension], features),
        described: hostTensor('float32', [size], described),
      };
    },
  };
}

async function setNamed(name: string, looked: Parameters<typeof featureSetsFor>[0]): Promise<FeatureSet> {
  const sets = await featureSetsFor(looked);
  const set = sets.find((one) => one.name === name);
  if (set) return set;
  throw new InputError(
    `training.feature_targets: ${JSON.stringify(name)} does not suit these records; choose among ${listed(sets.map((one) => one.name))}`,
  );
}

/** The columns of float32[records, dimension] that vary most, their means and standard deviations, and how many records have features. */
function columnsOf(values: Float32Array, dimension: number) {
  const rows: Float32Array[] = [];
  for (let start = 0; start < values.length; start += dimension) {
    const row = values.subarray(start, start + dimension);
    if (row.some((value) => value !== 0 && !Number.isNaN(value))) rows.push(row);
  }
  const varying: { column: number; differing: number; mean: number; deviation: number }[] = [];
  for (let column = 0; column < dimension; column++) {
    const present = rows.map((row) => row[column]).filter((value) => !Number.isNaN(value));
    const counts = new Map<number, number>();
    for (const value of present) counts.set(value, (counts.get(value) ?? 0) + 1);
    const differing = present.length - Math.max(0, ...counts.values());
    if (differing <= VARYING * rows.length) continue;
    const mean = present.reduce((sum, value) => sum + value, 0) / present.length;
    const variance = present.reduce((sum, value) => sum + (value - mean) ** 2, 0) / present.length;
    varying.push({ column, differing, mean, deviation: Math.sqrt(variance) });
  }
  const kept = varying
    .toSorted((a, b) => b.differing - a.differing || a.column - b.column)
    .slice(0, MOST_COLUMNS)
    .sort((a, b) => a.column - b.column);
  return {
    columns: kept.map(({ column }) => column),
    means: kept.map(({ mean }) => mean),
    deviations: kept.map(({ deviation }) => deviation),
    known: rows.length,
  };
}
