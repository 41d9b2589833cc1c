/** The rows of an evaluation's table, from the scores of its splits and seeds. */
import type { LabelledData } from '../datasets/labelled-data.js';
import type { Engine } from '../engine/engine.js';
import { boundsOf, differenceBounds, type MetricName, metrics } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';
import { type Definedness, undefinedByPredictions } from '../scoring/undefined-scores.js';
import type { LearnedCount } from './learned-records.js';
import {
  describeParts,
  type MethodScores,
  pairedScores,
  type ScoreDifference,
  type Scores,
} from './scores.js';

/** What a row is of. */
export interface RowOf {
  readonly method: string;
  readonly metric: string;
  /** Training labels of each class, or in all; missing for all there are. */
  readonly shots?: number;
}

/** One score. */
export interface SeedScore {
  /** The draw of the parts. */
  readonly split: number;
  readonly value: number;
  readonly valid?: number;
  readonly perTarget?: readonly number[];
  readonly seconds: number;
}

interface Row extends RowOf {
  readonly scores: SeedScore[];
}

/** The method that all others are compared with. */
export const UNTRAINED = 'untrained';

/** Collects scores, a row for each method, metric and number of shots, in the order in which they came. */
export class ScoreRows {
  private readonly rows = new Map<string, Row>();

  add({ method, metric, shots }: RowOf, score: SeedScore): void {
    const key = keyOf({ method, metric, shots });
    const row = this.rows.get(key) ?? { method, metric, ...(shots !== undefined && { shots }), scores: [] };
    row.scores.push(score);
    this.rows.set(key, row);
  }

  /**
   * The rows with their means: with several splits the interval is over the means of the splits, else over the seeds.
   * `reason` says why a row has values of a metric that are not numbers.
   */
  summarized(reason: (metric: string) => string): MethodScores[] {
    return [...this.rows.values()].map(({ scores: asAdded, ...row }) => {
      const scores = asAdded.toSorted((a, b) => a.split - b.split);
      const { perSeed, perSplit } = bySeedAndSplit(scores);
      const valid = scores.flatMap((score) => score.valid ?? []);
      const perTarget = scores.flatMap((score) => (score.perTarget ? [score.perTarget] : []));
      return {
        ...row,
        perSeed,
        ...(valid.length > 0 && { validPerSeed: valid }),
        ...(perTarget.length > 0 && { perTarget }),
        ...(perSplit && { perSplit }),
        ...summarize(perSplit ?? perSeed, boundsOf(row.metric)),
        ...(perSeed.some(Number.isNaN) && { reason: reason(row.metric) }),
        seconds: scores.reduce((sum, { seconds }) => sum + seconds, 0),
      };
    });
  }

  /**
   * Of each row the difference to the untrained encoder's, paired by split and seed, with an interval over the splits, or
   * over the seeds of one split. None where a single pair, or seeds without a partner, would tell of no scatter.
   */
  differences(): ScoreDifference[] {
    return [...this.rows.values()].flatMap(({ scores, ...row }) => {
      const [name, ...rest] = row.method.split(', ');
      const partner = this.rows.get(keyOf({ ...row, method: [UNTRAINED, ...rest].join(', ') }));
      if (name === UNTRAINED || partner === undefined) return [];
      const paired = pairedScores(bySeedAndSplit(scores), bySeedAndSplit(partner.scores));
      // The rows say why a score is undefined.
      if (paired === undefined || paired.some(Number.isNaN)) return [];
      return [{ ...row, minus: partner.method, ...summarize(paired, differenceBounds(row.metric)) }];
    });
  }
}

/** The scores of an evaluation on a labelled file. */
export function scoresOf(
  rows: ScoreRows,
  {
    data,
    file: { labelled, hash, learned },
    metric,
    defined,
    engine,
  }: {
    /** The name of the file. */
    data: string;
    file: { labelled: LabelledData; hash: string; learned: LearnedCount | undefined };
    /** The one that all is chosen by. */
    metric: MetricName;
    defined: Definedness;
    engine: Engine;
  },
): Scores {
  const { task, columns: targets } = labelled.spec;
  const differences = rows.differences();
  return {
    data,
    hash,
    task,
    targets,
    metric,
    higherIsBetter: metrics[metric].higherIsBetter,
    split: describeParts(labelled, learned),
    methods: rows.summarized(
      (name) => (name === metric ? defined.test : undefined) ?? undefinedByPredictions(name),
    ),
    ...(differences.length > 0 && { differences }),
    ...(engine.device && { adapter: engine.device.name }),
  };
}

const keyOf = ({ method, metric, shots }: RowOf) => JSON.stringify([method, metric, shots]);

/** The values, those of one split after those of the other; of several splits the mean of each, too. */
function bySeedAndSplit(scores: readonly SeedScore[]): Pick<MethodScores, 'perSeed' | 'perSplit'> {
  const bySplit = new Map<number, number[]>();
  for (const { split, value } of scores) bySplit.set(split, [...(bySplit.get(split) ?? []), value]);
  const splits = [...bySplit.values()];
  return { perSeed: splits.flat(), ...(splits.length > 1 && { perSplit: splits.map(meanOf) }) };
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
