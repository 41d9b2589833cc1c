/** Rows of numbers with their labels and parts, as a protocol is given them. */
import type { Engine } from '../engine/engine.js';
import { gatherRows } from '../numerics/matrix.js';
import type { Part } from '../records/split.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { MetricName } from '../scoring/metrics.js';
import { seal } from '../scoring/parts.js';
import type { Represented } from './protocol.js';

export interface LabelledFeatures {
  /** float32[n, dimension] */
  readonly features: Float32Array;
  readonly dimension: number;
  /** float64[n, targets] */
  readonly labels: Float64Array;
  readonly part: readonly Part[];
}

export function represented(
  { features, dimension, labels, part }: LabelledFeatures,
  spec: LabelSpec,
  metric: MetricName,
  engine?: Engine,
): Represented {
  const pick = (wanted: Part) => {
    const rows = [...part.keys()].filter((row) => part[row] === wanted);
    return {
      records: gatherRows(new Float32Array(rows.length * dimension), features, rows, dimension),
      labels: gatherRows(new Float64Array(rows.length * spec.targets), labels, rows, spec.targets),
    };
  };
  const test = pick('test');
  const offsets = Int32Array.from({ length: test.labels.length / spec.targets + 1 }, (_, row) => row);
  const parts = {
    train: pick('train'),
    valid: pick('valid'),
    test: seal(test.records, test.labels, spec, offsets),
  };
  return { parts, dimension, spec, metric, engine };
}
