import { engineIfLarge, withProduct } from '../numerics/matrix-product.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import { type Neighbors, nearestNeighbors, unitRows } from '../search/nearest-neighbors.js';
import type { Probe, TrainingRows } from './protocol.js';

/** Numbers of neighbours tried, as many as the training part has. */
const NEIGHBORS = [1, 5, 20, 100] as const;

/**
 * Nearest neighbours by cosine similarity, exact. Regression is the mean of the neighbours; a class is voted for with
 * weight exp(similarity / 0.07) (Wu et al., CVPR 2018), which settles most ties. Departure: a neighbour more votes for all
 * classes alike, so that no class has the probability 0. A neighbour without the label has no say; where none has it,
 * the training part's own mean or shares stand in.
 */
export const nearestNeighborsProbe = function* (train, spec, engine?) {
  const { count, dimension } = train;
  const unit = unitRows(train.features, dimension);
  const sizes = NEIGHBORS.filter((k) => k <= count);
  const vote = voting[spec.task];
  let searched: { features: Float32Array; found: Neighbors } | undefined;
  const search = async (features: Float32Array) => {
    if (searched?.features !== features) {
      const queries = unitRows(features, dimension);
      const found = await withProduct(engineIfLarge(engine, features.length * count), (multiply) =>
        nearestNeighbors(queries, unit, dimension, Math.max(...sizes), multiply),
      );
      searched = { features, found };
    }
    return searched.found;
  };
  for (const neighbors of sizes) {
    yield {
      chosen: { neighbors },
      predict: async (features) => vote(await search(features), neighbors, train, spec),
    };
  }
} satisfies Probe;

type Vote = (
  found: Neighbors,
  neighbors: number,
  train: Pick<TrainingRows, 'labels'>,
  spec: LabelSpec,
) => Float64Array;

const TEMPERATURE = 0.07;
const equalWeight = () => 1;
const similarityWeight = (similarity: number) => Math.exp(similarity / TEMPERATURE);

/** What becomes of the mean label of a target among so many neighbours. */
type Say = (mean: number, neighbors: number) => number;

/** Mean label of the neighbours, per target. */
const meanVote =
  (weightOf: (similarity: number) => number, say: Say): Vote =>
  ({ k, rows, similarities }, neighbors, { labels }, { targets }) => {
    const fallback = targetMeans(labels, targets);
    const queries = rows.length / k;
    const outputs = new Float64Array(queries * targets);
    for (let query = 0; query < queries; query++) {
      for (let target = 0; target < targets; target++) {
        let sum = 0;
        let total = 0;
        let count = 0;
        for (let i = query * k; i < query * k + neighbors; i++) {
          const label = labels[rows[i] * targets + target];
          if (Number.isNaN(label)) continue;
          const weight = weightOf(similarities[i]);
          sum += weight * label;
          total += weight;
          count++;
        }
        const mean = count > 0 ? sum / total : fallback[target];
        outputs[query * targets + target] = say(mean, count || labels.length / targets);
      }
    }
    return outputs;
  };

/** A share of the votes as a probability that is neither 0 nor 1: one neighbour more votes for all `classes` alike. */
const smoothed = (share: number, neighbors: number, classes: number) =>
  (neighbors * share + 1 / classes) / (neighbors + 1);

/** Log-odds of yes. */
const logOdds: Say = (share, neighbors) => {
  const yes = smoothed(share, neighbors, 2);
  return Math.log(yes / (1 - yes));
};

/** Mean of the labels each target has; 0 for a target that has none. */
function targetMeans(labels: Float64Array, targets: number): Float64Array {
  const sums = new Float64Array(targets);
  const counts = new Float64Array(targets);
  for (let i = 0; i < labels.length; i++) {
    if (Number.isNaN(labels[i])) continue;
    sums[i % targets] += labels[i];
    counts[i % targets]++;
  }
  return sums.map((sum, target) => sum / Math.max(counts[target], 1));
}

/** Log of the share of the vote, per class. Rows without a label are not in a part, so every neighbour has one. */
const classVote: Vote = ({ k, rows, similarities }, neighbors, { labels }, { outputs: classes }) => {
  const queries = rows.length / k;
  const outputs = new Float64Array(queries * classes);
  for (let query = 0; query < queries; query++) {
    const votes = outputs.subarray(query * classes, (query + 1) * classes);
    let total = 0;
    for (let i = query * k; i < query * k + neighbors; i++) {
      const weight = similarityWeight(similarities[i]);
      votes[labels[rows[i]]] += weight;
      total += weight;
    }
    votes.forEach((vote, label) => {
      votes[label] = Math.log(smoothed(vote / total, neighbors, classes));
    });
  }
  return outputs;
};

/** What neighbours say, float64[queries, outputs]: a mean, or logits of the shares of their votes. */
export const voting: Record<Task, Vote> = {
  regression: meanVote(equalWeight, (mean) => mean),
  binary: meanVote(similarityWeight, logOdds),
  multilabel: meanVote(similarityWeight, logOdds),
  multiclass: classVote,
  'per-token': classVote,
};
