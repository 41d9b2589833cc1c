/** The three parts of labelled records, the labels of the test part behind a seal. */

import type { LabelledData } from '../datasets/labelled-data.js';
import { InputError } from '../errors.js';
import { TEST, TRAIN, VALID } from '../probes/protocol.js';
import { takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { labelOffsets, takeLabelRows } from './label-rows.js';
import type { LabelSpec } from './labels.js';
import { type MetricName, scoreTargets } from './metrics.js';

/** One part of the labelled records. */
export interface LabelledPart {
  readonly block: TokenBlock;
  /** float64[rows, targets], a row for each record or each token (see `labelOffsets`); NaN is missing. */
  readonly labels: Float64Array;
}

export interface TestScore {
  readonly value: number;
  readonly perTarget: readonly number[];
  /** The same score of resampled test records, where asked for: replicate i draws the same records in every call. */
  readonly replicates?: readonly number[];
}

/** Records without their labels: only `score` sees those. */
export interface SealedPart {
  readonly block: TokenBlock;
  /** Scores outputs float64[rows, outputs]; `resamples` bootstrap replicates over the records as well. */
  score(metric: MetricName, outputs: Float64Array, options?: { resamples?: number }): TestScore;
}

export interface Parts {
  readonly train: LabelledPart;
  readonly valid: LabelledPart;
  readonly test: SealedPart;
}

/** Throws InputError when a part has no record. */
export function splitParts({ block, labels, part, spec }: LabelledData): Parts {
  const offsets = labelOffsets(spec, block);
  const pick = (wanted: number, name: string): LabelledPart => {
    const records = Array.from(part.keys()).filter((record) => part[record] === wanted);
    if (records.length === 0) {
      throw new InputError(
        `the ${name} part has no labelled record; give more labels, another --split-column or larger fractions`,
      );
    }
    return {
      block: takeRecords(block, records),
      labels: takeLabelRows(labels, offsets, records, spec.targets),
    };
  };
  return {
    train: pick(TRAIN, 'train'),
    valid: pick(VALID, 'valid'),
    test: seal(pick(TEST, 'test'), spec),
  };
}

function seal({ block, labels }: LabelledPart, spec: LabelSpec): SealedPart {
  return {
    block,
    score(metric, outputs, { resamples = 0 } = {}) {
      const { value, perTarget } = scoreTargets(metric, outputs, labels, spec);
      if (resamples === 0) return { value, perTarget };
      const scores = bootstrapScores(metric, outputs, labels, spec, resamples, labelOffsets(spec, block));
      return { value, perTarget, replicates: scores };
    },
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
