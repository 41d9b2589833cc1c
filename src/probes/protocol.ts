import type { Engine } from '../engine/engine.js';
import { InputError, LacunaError } from '../errors.js';
import { gatherRows } from '../numerics/matrix.js';
import type { LabelSpec } from '../scoring/labels.js';
import { isBetter, type MetricName, scoreMetric } from '../scoring/metrics.js';

/** Numbers of the parts in {@link ProbeData.part}. */
export const TRAIN = 0;
export const VALID = 1;
export const TEST = 2;

/** Frozen representations and their labels. */
export interface ProbeData {
  /** float32[n, dimension] */
  readonly features: Float32Array;
  readonly dimension: number;
  /** float64[n, targets] as `encodeLabels` gives them; NaN is missing */
  readonly labels: Float64Array;
  /** uint8[n]: TRAIN, VALID or TEST; rows with any other number are not used */
  readonly part: Uint8Array;
}

export interface ProbeResult {
  readonly metric: MetricName;
  readonly valid: number;
  readonly test: number;
  /** The settings that were best on the validation part. */
  readonly chosen: Readonly<Record<string, number>>;
}

/** Rows of one part that have at least one label; their features are float32[count, dimension] unless said otherwise. */
export interface Part<Features = Float32Array> {
  readonly count: number;
  readonly dimension: number;
  readonly features: Features;
  /** float64[count, targets] */
  readonly labels: Float64Array;
}

/** A fitted predictor: features of m rows → outputs [m, spec.outputs] as `scoreTargets` wants them. */
export interface Candidate<Features = Float32Array> {
  readonly chosen: Readonly<Record<string, number>>;
  predict(features: Features): Float64Array | Promise<Float64Array>;
}

type Candidates<Features> = Iterable<Candidate<Features>> | AsyncIterable<Candidate<Features>>;

/**
 * A probe names the predictors it fits to the training part, one per setting of its grid, simplest first.
 * It is never shown the other parts. An engine does the multiplying where there is much, in single precision.
 */
export type Probe<Features = Float32Array> = (
  train: Part<Features>,
  spec: LabelSpec,
  engine?: Engine,
) => Candidates<Features>;

/** The first of the probe's candidates that is best on the validation part, with its score there. */
export async function chooseCandidate<Features>(
  candidates: Candidates<Features>,
  valid: Pick<Part<Features>, 'features' | 'labels'>,
  spec: LabelSpec,
  metric: MetricName,
): Promise<{ candidate: Candidate<Features>; score: number }> {
  let best: { candidate: Candidate<Features>; score: number } | undefined;
  for await (const candidate of candidates) {
    const score = scoreMetric(metric, await candidate.predict(valid.features), valid.labels, spec);
    if (!best || isBetter(metric, score, best.score)) best = { candidate, score };
  }
  if (!best) throw new Error('chooseCandidate: the probe has no candidates');
  return best;
}

/**
 * Fits every candidate on the training part, keeps the first that is best on the validation part, and scores that one
 * on the test part: the only place where test rows are looked at, once.
 * Throws InputError when a part has no labels, LacunaError when a feature is not finite.
 */
export async function runProbe(
  probe: Probe,
  data: ProbeData,
  spec: LabelSpec,
  metric: MetricName,
  engine?: Engine,
): Promise<ProbeResult> {
  const candidates = probe(partOf(data, TRAIN, spec), spec, engine);
  const { candidate, score } = await chooseCandidate(candidates, partOf(data, VALID, spec), spec, metric);
  const test = partOf(data, TEST, spec);
  return {
    metric,
    valid: score,
    test: scoreMetric(metric, await candidate.predict(test.features), test.labels, spec),
    chosen: candidate.chosen,
  };
}

const partNames = ['training', 'validation', 'test'];

function partOf(
  { features, dimension, labels, part }: ProbeData,
  wanted: number,
  { targets }: LabelSpec,
): Part {
  const rows: number[] = [];
  for (let row = 0; row < part.length; row++) {
    if (part[row] !== wanted) continue;
    const own = labels.subarray(row * targets, (row + 1) * targets);
    if (own.some((label) => !Number.isNaN(label))) rows.push(row);
  }
  if (rows.length === 0) {
    throw new InputError(
      `the ${partNames[wanted]} part has no labelled record: expected some in each of training, validation and test; check the split`,
    );
  }
  const gathered = {
    count: rows.length,
    dimension,
    features: gatherRows(new Float32Array(rows.length * dimension), features, rows, dimension),
    labels: gatherRows(new Float64Array(rows.length * targets), labels, rows, targets),
  };
  const bad = gathered.features.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const row = rows[Math.floor(bad / dimension)];
    throw new LacunaError(
      `embedding ${row + 1} holds ${gathered.features[bad]}: expected finite numbers; the encoder may have diverged, try an earlier checkpoint`,
    );
  }
  return gathered;
}
