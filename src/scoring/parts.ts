/** The three parts of labelled records, the labels of the test part behind a seal. */
import { InputError } from '../errors.js';
import { takeRecords } from '../records/batch.js';
import type { Part } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { labelOffsets, takeLabelRows } from './label-rows.js';
import type { LabelSpec } from './labels.js';
import { type MetricName, scoreTargets } from './metrics.js';

/** Labelled records, and which of them are in which part. */
export interface LabelledRecords {
  readonly block: TokenBlock;
  /** float64[rows, targets], a row for each record or each token (see `labelOffsets`); NaN is missing. */
  readonly labels: Float64Array;
  /** The records of each part, ascending. */
  readonly members: Readonly<Record<Part, Int32Array>>;
  readonly spec: LabelSpec;
}

/** One part of the labelled records, as tokens or in another form. */
export interface LabelledPart<R = TokenBlock> {
  readonly records: R;
  /** float64[rows, targets] */
  readonly labels: Float64Array;
}

export interface TestScore {
  readonly value: number;
  readonly perTarget: readonly number[];
  /** The same score of resampled test records, where asked for: replicate i draws the same records in every call. */
  readonly replicates?: readonly number[];
}

/** Records without their labels: only `score` sees those. */
export interface SealedPart<R = TokenBlock> {
  readonly records: R;
  /** Scores outputs float64[rows, outputs]; `resamples` bootstrap replicates over the records as well. */
  score(metric: MetricName, outputs: Float64Array, options?: { resamples?: number }): TestScore;
  /** The same records in another form, under the same seal. */
  as<S>(records: S): SealedPart<S>;
}

export interface Parts<R = TokenBlock> {
  readonly train: LabelledPart<R>;
  readonly valid: LabelledPart<R>;
  readonly test: SealedPart<R>;
}

/** Throws InputError when a part has no record. */
export function splitParts({ block, labels, members, spec }: LabelledRecords): Parts {
  const offsets = labelOffsets(spec, block);
  const pick = (part: Part): LabelledPart => {
    if (members[part].length === 0) {
      throw new InputError(
        `the ${part} part has no labelled record; give more labels, another --split-column or larger fractions`,
      );
    }
    return {
      records: takeRecords(block, members[part]),
      labels: takeLabelRows(labels, offsets, members[part], spec.targets),
    };
  };
  const { records, labels: testLabels } = pick('test');
  return {
    train: pick('train'),
    valid: pick('valid'),
    test: seal(records, testLabels, spec, labelOffsets(spec, records)),
  };
}

/** The same parts with their records in another form, such as embeddings. */
export async function convertParts<R, S>(
  { train, valid, test }: Parts<R>,
  convert: (records: R) => S | Promise<S>,
): Promise<Parts<S>> {
  return {
    train: { ...train, records: await convert(train.records) },
    valid: { ...valid, records: await convert(valid.records) },
    test: test.as(await convert(test.records)),
  };
}

/**
 * Hides labels float64[rows, targets] behind a score. `offsets` say which rows are whose: see `labelOffsets`.
 * @internal
 */
export function seal<R>(
  records: R,
  labels: Float64Array,
  spec: LabelSpec,
  offsets: Int32Array,
): SealedPart<R> {
  return {
    records,
    score(metric, outputs, { resamples = 0 } = {}) {
      const { value, perTarget } = scoreTargets(metric, outputs, labels, spec);
      if (resamples === 0) return { value, perTarget };
      const replicates = bootstrapScores(metric, outputs, labels, spec, resamples, offsets);
      return { value, perTarget, replicates };
    },
    as: (others) => seal(others, labels, spec, offsets),
  };
}

/**
 * Scores of resampled records, each with all of its label rows. Resampling depends on nothing but the number of records.
 * @internal
 */
export function bootstrapScores(
  metric: MetricName,
  outputs: Float64Array,
  labels: Float64Array,
  spec: Pick<LabelSpec, 'task' | 'targets' | 'outputs'>,
  resamples: number,
  offsets: Int32Array,
): number[] {
  const count = offsets.length - 1;
  const source = random(0, 'bootstrap test records');
  const records = new Int32Array(count);
  return Array.from({ length: resamples }, () => {
    for (let i = 0; i < count; i++) records[i] = source.integer(count);
    const drawnOutputs = takeLabelRows(outputs, offsets, records, spec.outputs);
    const drawnLabels = takeLabelRows(labels, offsets, records, spec.targets);
    return scoreTargets(metric, drawnOutputs, drawnLabels, spec).value;
  });
}
