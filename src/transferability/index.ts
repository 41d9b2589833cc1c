import { linearProbe } from '../probes/linear-probe.js';
import { nearestNeighborsProbe } from '../probes/nearest-neighbors.js';
import { chooseCandidate, type Probe } from '../probes/protocol.js';
import { metrics } from '../scoring/metrics.js';
import { fisherDiscriminant } from './fisher-discriminant.js';
import { intraClassEntropy } from './intra-class-entropy.js';
import { logEvidence } from './log-evidence.js';
import { discriminantAfterDescent, evidenceAfterDescent } from './potential-energy.js';
import type { TransferabilityScore } from './transferability.js';
import { lidar, rankMe } from './view-rank.js';

/** What a probe that is fitted to the training records scores on validation; an error counts as less. */
const validated = (description: string, probe: Probe): TransferabilityScore => ({
  description,
  async score({ train, valid, dimension, spec, metric, engine }) {
    const rows = { count: train.features.length / dimension, dimension, ...train, valid };
    const { score } = await chooseCandidate(probe(rows, spec, engine), valid, spec, metric);
    return metrics[metric].higherIsBetter ? score : -score;
  },
});

/** The scores, by name, in the order of their columns. */
export const transferabilityScores = {
  'linear-probe': validated('the validation score of a linear probe', linearProbe),
  'nearest-neighbors': validated('the validation score of nearest neighbours', nearestNeighborsProbe),
  logme: logEvidence,
  sfda: fisherDiscriminant,
  'ped-logme': evidenceAfterDescent,
  'ped-sfda': discriminantAfterDescent,
  tmi: intraClassEntropy,
  rankme: rankMe,
  lidar,
} satisfies Record<string, TransferabilityScore>;

export type TransferabilityName = keyof typeof transferabilityScores;
