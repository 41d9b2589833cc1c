/** Evaluations of frozen representations: what every protocol is given, and how a probe is one. */
import type { Engine } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import type { LabelSpec } from '../scoring/labels.js';
import { isBetter, type MetricName, scoreMetric, type Task } from '../scoring/metrics.js';
import type { Parts } from '../scoring/parts.js';
import type { FittedModel } from './fitted-model.js';

/** Which of several domains, such as hospitals or months, each record is from. */
export interface Domains {
  readonly names: readonly string[];
  /** int32[n]: the number of the domain of each record of a part. */
  readonly train: Int32Array;
  readonly valid: Int32Array;
  readonly test: Int32Array;
}

/** Representations float32[n, dimension] with their labels; those of the test part are sealed. */
export interface Represented {
  readonly parts: Parts<Float32Array>;
  /** float32[n, dimension] of the records without a label, for a protocol that asks for them. */
  readonly unlabelled?: Float32Array;
  /** For a protocol that asks for them. */
  readonly domains?: Domains;
  readonly dimension: number;
  readonly spec: LabelSpec;
  /** The metric that was asked for, or the usual one of the task. */
  readonly metric: MetricName;
  /** Does the multiplying where there is much, in single precision. */
  readonly engine?: Engine;
}

/** One way to judge a frozen encoder. Each is one file; a researcher's own can come from a plug-in. */
export interface Protocol {
  /** The tasks in which it has a meaning; all by default. */
  readonly tasks?: readonly Task[];
  /** Whether it is run only where it is asked for by name, since it answers another question than how good embeddings are. */
  readonly onRequest?: boolean;
  /** Whether it is given the records without a label, too. */
  readonly unlabelled?: boolean;
  /** Whether it is given the domains of the records, and has no meaning without. */
  readonly domains?: boolean;
  /**
   * Names and values, such as a metric and its score, each a row of the table. Choices are made on the validation part;
   * the test part is scored once for each name. Throws LacunaError when a representation is not finite.
   */
  run(represented: Represented): AsyncIterable<readonly [name: string, value: number]>;
}

/** Rows of the training part; their features are float32[count, dimension] unless said otherwise. */
export interface TrainingRows<Features = Float32Array> {
  readonly count: number;
  readonly dimension: number;
  readonly features: Features;
  /** float64[count, targets] */
  readonly labels: Float64Array;
  /** Rows of the validation part, for a fit in rounds: they may tell it when to stop, and nothing is fitted to them. */
  readonly valid?: { readonly features: Features; readonly labels: Float64Array };
}

/** A fitted predictor: features of m rows → outputs [m, spec.outputs] as `scoreTargets` wants them. */
export interface Candidate<Features = Float32Array> {
  readonly chosen: Readonly<Record<string, number>>;
  /** The predictor as plain data, where it can be kept: `predictFitted` gives the same outputs. */
  readonly model?: FittedModel;
  predict(features: Features): Float64Array | Promise<Float64Array>;
}

type Candidates<Features> = Iterable<Candidate<Features>> | AsyncIterable<Candidate<Features>>;

/**
 * A probe names the predictors it fits to the training part, one per setting of its grid, simplest first.
 * It is never shown the test part, and the validation part only to stop early. An engine does the multiplying where there is much, in single precision.
 */
export type Probe<Features = Float32Array> = (
  train: TrainingRows<Features>,
  spec: LabelSpec,
  engine?: Engine,
) => Candidates<Features>;

/** The first of the probe's candidates that is best on the validation part, with its score there. */
export async function chooseCandidate<Features>(
  candidates: Candidates<Features>,
  valid: Pick<TrainingRows<Features>, 'features' | 'labels'>,
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

export interface ProbeResult {
  readonly valid: number;
  readonly test: number;
  /** The settings that were best on the validation part. */
  readonly chosen: Readonly<Record<string, number>>;
}

/**
 * Fits every candidate on the training part, keeps the first that is best on the validation part, and scores that one
 * on the test part, once. Throws LacunaError when a feature is not finite.
 * @internal
 */
export async function runProbe(
  probe: Probe,
  { parts: { train, valid, test }, dimension, spec, metric, engine }: Represented,
): Promise<ProbeResult> {
  for (const { records } of [train, valid, test]) requireFinite(records, dimension);
  const rows = { count: train.records.length / dimension, dimension };
  const held = { features: valid.records, labels: valid.labels };
  const { candidate, score } = await chooseCandidate(
    probe({ ...rows, features: train.records, labels: train.labels, valid: held }, spec, engine),
    held,
    spec,
    metric,
  );
  return {
    valid: score,
    test: test.score(metric, await candidate.predict(test.records)).value,
    chosen: candidate.chosen,
  };
}

/** A protocol whose code is loaded when it is run. */
export const protocol = (
  load: () => Promise<Protocol['run']>,
  about: Omit<Protocol, 'run'> = {},
): Protocol => ({
  ...about,
  async *run(represented) {
    yield* (await load())(represented);
  },
});

/** A probe as a protocol: its one value is the metric on the test part. */
export const protocolOf = (load: () => Promise<Probe>, about: Omit<Protocol, 'run'> = {}): Protocol =>
  protocol(async () => {
    const probe = await load();
    return async function* (represented) {
      yield [represented.metric, (await runProbe(probe, represented)).test];
    };
  }, about);

function requireFinite(features: Float32Array, dimension: number): void {
  const bad = features.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new LacunaError(
    `an embedding (row ${Math.floor(bad / dimension) + 1} of its part) holds ${features[bad]}: expected finite numbers; the encoder may have diverged, try an earlier checkpoint`,
  );
}
