/** Which training records a prediction rests on, and whether it moves when these are taken away. */

import type { Engine } from '../engine/engine.js';
import { engineIfLarge, withProduct } from '../numerics/matrix-product.js';
import { logistic, softmax } from '../numerics/softmax.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { MetricName } from '../scoring/metrics.js';
import { nearestNeighbors, unitRows } from '../search/nearest-neighbors.js';
import { directionSpace, place } from '../search/vector-space.js';
import { permutation, random } from '../tensor/random.js';
import { linearProbe } from './linear-probe.js';
import { type Candidate, chooseCandidate, type TrainingRows } from './protocol.js';

/** What is to be explained, and how thoroughly. */
export interface AttributionOptions {
  /** float32[m, dimension]: the records whose predictions are explained. */
  readonly queries: Float32Array;
  readonly spec: LabelSpec;
  readonly metric: MetricName;
  /** Training records that each prediction is attributed to. */
  readonly k: number;
  /** How often as many training records are taken away at random, to compare with. */
  readonly draws: number;
  readonly seed: number;
  readonly engine?: Engine;
  /** Stops between two records by throwing when it aborts. */
  readonly signal?: AbortSignal;
}

/** The explanation of one prediction. */
export interface Attribution {
  /** float64[outputs], as a probe gives them. */
  readonly outputs: Float64Array;
  /** The nearest training records, the nearest first, with the cosine of their embeddings less the mean. */
  readonly rows: readonly number[];
  readonly similarities: readonly number[];
  /** float64[outputs]: what is predicted without them. */
  readonly without: Float64Array;
  /** float64[outputs] for each draw: what is predicted without as many others. */
  readonly withoutRandom: readonly Float64Array[];
}

/**
 * Attributes predictions of a linear probe to the training records that are nearest in feature space (Singla, Sandoval-Segura,
 * Goldblum, Geiping & Goldstein 2023), with the counterfactual: the probe is trained again, at the strength of penalty that validation chose, without
 * these records, and without as many that are drawn at random. Departure: what is trained again is the head, on frozen features, and not the network.
 */
export async function attributions(
  train: TrainingRows,
  { queries, spec, metric, k, draws, seed, engine, signal }: AttributionOptions,
): Promise<Attribution[]> {
  const { dimension, valid } = train;
  if (!valid) throw new Error('attributions: no validation part');
  const { candidate } = await chooseCandidate(linearProbe(train, spec, engine), valid, spec, metric);
  const outputs = await candidate.predict(queries);
  const space = directionSpace(train.features, dimension);
  const unit = (rows: Float32Array) => unitRows(place(space, rows), dimension);
  const count = queries.length / dimension;
  const wanted = Math.min(k, train.count - 1);
  const near = await withProduct(engineIfLarge(engine, queries.length * train.count), (multiply) =>
    nearestNeighbors(unit(queries), unit(train.features), dimension, wanted, multiply),
  );
  const found: Attribution[] = [];
  for (let query = 0; query < count; query++) {
    signal?.throwIfAborted();
    const own = queries.subarray(query * dimension, (query + 1) * dimension);
    const predictWithout = async (left: ReadonlySet<number>) => {
      const again = await refitted(withoutRows(train, left, spec.targets), spec, candidate, engine);
      return again.predict(own);
    };
    const rows = Array.from(near.rows.subarray(query * wanted, (query + 1) * wanted));
    const withoutRandom: Float64Array[] = [];
    for (let draw = 0; draw < draws; draw++) {
      const order = permutation(train.count, random(seed, 'attribution', query, draw));
      withoutRandom.push(await predictWithout(new Set(order.subarray(0, wanted))));
    }
    found.push({
      outputs: outputs.slice(query * spec.outputs, (query + 1) * spec.outputs),
      rows,
      similarities: Array.from(near.similarities.subarray(query * wanted, (query + 1) * wanted)),
      without: await predictWithout(new Set(rows)),
      withoutRandom,
    });
  }
  return found;
}

function withoutRows(
  { features, labels, dimension, count }: TrainingRows,
  left: ReadonlySet<number>,
  targets: number,
): TrainingRows {
  const kept = Array.from({ length: count }, (_, row) => row).filter((row) => !left.has(row));
  const rows = new Float32Array(kept.length * dimension);
  const own = new Float64Array(kept.length * targets);
  kept.forEach((row, i) => {
    rows.set(features.subarray(row * dimension, (row + 1) * dimension), i * dimension);
    own.set(labels.subarray(row * targets, (row + 1) * targets), i * targets);
  });
  return { count: kept.length, dimension, features: rows, labels: own };
}

/** The probe of other rows with the settings of a candidate. */
async function refitted(
  rows: TrainingRows,
  spec: LabelSpec,
  { chosen }: Candidate,
  engine?: Engine,
): Promise<Candidate> {
  let last: Candidate | undefined;
  for await (const candidate of linearProbe(rows, spec, engine)) {
    last = candidate;
    if (candidate.chosen.regularization === chosen.regularization) break;
  }
  if (!last) throw new Error('attributions: the probe has no candidates');
  return last;
}

/** How far a prediction moved: the total variation of its probabilities, or the difference of its numbers; the mean over targets. */
export function movement(before: Float64Array, after: Float64Array, { task, targets }: LabelSpec): number {
  switch (task) {
    case 'regression':
      return mean(before.map((value, i) => Math.abs(value - after[i])));
    case 'binary':
    case 'multilabel':
      return mean(before.map((logit, i) => Math.abs(logistic(logit) - logistic(after[i]))));
    default: {
      const [p, q] = [softmax(before), softmax(after)];
      return p.reduce((sum, value, i) => sum + Math.abs(value - q[i]), 0) / 2 / targets;
    }
  }
}

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
