/** From attempts to a table and the predictor that validation prefers; the test part is scored once for each row. */
import { gatherRows } from '../numerics/matrix.js';
import { choosingMetric, isBetter, scoreMetric } from '../scoring/metrics.js';
import type { Attempt } from './attempts.js';
import { greedyEnsemble, meanPrediction } from './ensemble.js';
import type { FitData } from './fit-data.js';

/** An attempt on all folds. */
export interface Fitted {
  readonly name: string;
  readonly representation: boolean;
  /** The features that it reads side by side; none where it reads tokens. */
  readonly features: readonly string[];
  /** float64[judged, outputs]: of the records that some fold held, each by the model that did not learn from it. */
  readonly held: Float64Array;
  /** float64[test, outputs]: the mean over the folds' models. */
  readonly test: Float64Array;
  /** One for each fold. */
  readonly models: readonly unknown[];
  readonly seconds: number;
}

/** Fits one attempt to every fold. */
export async function fitFolds(attempt: Attempt, { spec, folds }: FitData): Promise<Fitted> {
  const started = performance.now();
  const judged = judgedRecords(folds);
  const place = new Map(Array.from(judged, (record, i) => [record, i]));
  const held = new Float64Array(judged.length * spec.outputs);
  const tests: Float64Array[] = [];
  const models: unknown[] = [];
  for (const fold of folds) {
    const fitted = await attempt.fit(fold);
    fold.held.forEach((record, i) => {
      const own = fitted.held.subarray(i * spec.outputs, (i + 1) * spec.outputs);
      held.set(own, place.get(record)! * spec.outputs);
    });
    tests.push(fitted.test);
    models.push(fitted.model);
  }
  return {
    name: attempt.name,
    representation: attempt.representation,
    features: attempt.features,
    held,
    test: meanPrediction(tests, spec),
    models,
    seconds: (performance.now() - started) / 1000,
  };
}

const judgedRecords = (folds: FitData['folds']): Int32Array =>
  Int32Array.from(folds.flatMap(({ held }) => Array.from(held))).sort();

/** Bootstrap replicates of the test records. */
const RESAMPLES = 1000;

/** The 95 % interval of a score, by the 2.5th and the 97.5th percentile of its replicates. */
export interface Score {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A row of the table. */
export interface FitRow {
  readonly name: string;
  readonly valid: number;
  /** What validation chose by, where that is another score than the metric (see `choosingMetric`). */
  readonly choice?: number;
  readonly test: Score;
  readonly representation: boolean;
  readonly seconds: number;
  /** Where the row is an ensemble: its parts and how much each counts, adding up to 1. */
  readonly weights?: Readonly<Record<string, number>>;
}

/** The difference of two rows' test scores, of the same resampled test records; positive is better. */
export interface Difference extends Score {
  readonly of: string;
  readonly against: string;
}

export interface Selection {
  /** In the order in which they were tried, ensembles last. */
  readonly rows: readonly FitRow[];
  /** The simple model that validation prefers. */
  readonly simple: string;
  /** What validation prefers of all. */
  readonly chosen: string;
  /** The chosen one against the best simple model, and the ensemble of all against that of the simple ones. */
  readonly differences: readonly Difference[];
  /** The parts of the chosen one. */
  readonly parts: readonly { readonly fitted: Fitted; readonly weight: number }[];
}

export const SIMPLE_ENSEMBLE = 'ensemble of the simple models';
export const FULL_ENSEMBLE = 'ensemble of all';

/** A row that validation has scored. */
interface Contender extends Fitted {
  readonly valid: number;
  readonly choice?: number;
  readonly weights?: Readonly<Record<string, number>>;
  readonly parts: Selection['parts'];
}

/** What validation says, before the test labels are looked at. */
export interface Choice {
  /** In the order in which they were tried, ensembles last. */
  readonly contenders: readonly Contender[];
  /** The single simple model that validation prefers. */
  readonly simple: Contender;
  /** What it prefers of all. */
  readonly chosen: Contender;
}

/** Chooses by validation, with the metric or what stands for it, among what was fitted, the ensemble of the simple models and that of all. */
export function choose(fitted: readonly Fitted[], { spec, metric, development, folds }: FitData): Choice {
  const by = choosingMetric(metric);
  const judged = judgedRecords(folds);
  const labels = gatherRows(
    new Float64Array(judged.length * spec.targets),
    development.labels,
    judged,
    spec.targets,
  );
  const ensembleOf = (name: string, members: readonly Fitted[]) => {
    const weights = greedyEnsemble(
      members.map(({ held }) => held),
      labels,
      spec,
      by,
    );
    const kept = members.flatMap((member, i) =>
      weights[i] > 0 ? [{ fitted: member, weight: weights[i] }] : [],
    );
    // One model alone is itself, without the rounding of a mean, which would make it better or worse than it is.
    const mean = (of: 'held' | 'test') =>
      kept.length === 1
        ? kept[0].fitted[of]
        : meanPrediction(
            kept.map(({ fitted: member }) => member[of]),
            spec,
            kept.map(({ weight }) => weight),
          );
    return {
      name,
      features: [],
      models: [],
      held: mean('held'),
      test: mean('test'),
      representation: kept.some(({ fitted: { representation } }) => representation),
      seconds: members.reduce((sum, { seconds }) => sum + seconds, 0),
      parts: kept,
      weights: Object.fromEntries(kept.map(({ fitted: { name: own }, weight }) => [own, weight])),
    };
  };
  const singles = fitted.map((member) => ({ ...member, parts: [{ fitted: member, weight: 1 }] }));
  const simple = fitted.filter(({ representation }) => !representation);
  const contenders = [
    ...singles,
    ensembleOf(SIMPLE_ENSEMBLE, simple),
    ...(simple.length < fitted.length ? [ensembleOf(FULL_ENSEMBLE, fitted)] : []),
  ].map((row) => ({
    ...row,
    valid: scoreMetric(metric, row.held, labels, spec),
    ...(by !== metric && { choice: scoreMetric(by, row.held, labels, spec) }),
  }));
  const judgedBy = ({ valid, choice = valid }: Contender) => choice;
  const bestOf = (rows: readonly Contender[]) =>
    rows.reduce((best, row) => (isBetter(by, judgedBy(row), judgedBy(best)) ? row : best));
  const chosen = bestOf(contenders);
  const names = new Set(simple.map(({ name }) => name));
  return { contenders, simple: bestOf(contenders.filter(({ name }) => names.has(name))), chosen };
}

/** Chooses by validation, then opens the test labels once for each row. */
export function select(fitted: readonly Fitted[], data: FitData): Selection {
  const { metric, test } = data;
  const { contenders, simple: bestSimple, chosen } = choose(fitted, data);
  const scored = new Map(
    contenders.map((row) => [row.name, test.score(metric, row.test, { resamples: RESAMPLES })]),
  );
  const sign = isBetter(metric, 1, 0) ? 1 : -1;
  const difference = (of: string, against: string): Difference => {
    const [a, b] = [scored.get(of)!, scored.get(against)!];
    const replicates = a.replicates!.map((value, i) => sign * (value - b.replicates![i]));
    return { of, against, ...interval(sign * (a.value - b.value), replicates) };
  };
  return {
    rows: contenders.map((row) => {
      const { name, valid, choice, representation, seconds, weights } = row;
      const { value, replicates = [] } = scored.get(name)!;
      return {
        name,
        valid,
        ...(choice !== undefined && { choice }),
        test: interval(value, replicates),
        representation,
        seconds,
        ...(weights && { weights }),
      };
    }),
    simple: bestSimple.name,
    chosen: chosen.name,
    differences: [
      ...(chosen.name === bestSimple.name ? [] : [difference(chosen.name, bestSimple.name)]),
      ...(scored.has(FULL_ENSEMBLE) ? [difference(FULL_ENSEMBLE, SIMPLE_ENSEMBLE)] : []),
    ],
    parts: chosen.parts,
  };
}

/** Replicates that are not defined, as where a resample has one class, are left out. */
function interval(value: number, replicates: readonly number[]): Score {
  const sorted = replicates.filter((replicate) => !Number.isNaN(replicate)).sort((a, b) => a - b);
  if (sorted.length < RESAMPLES / 2) return { value, low: Number.NaN, high: Number.NaN };
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
  return { value, low: at(0.025), high: at(0.975) };
}
