/** The rows of an evaluation's table, from the scores of its splits and seeds. */
import type { LabelledData } from '../datasets/labelled-data.js';
import type { Engine } from '../engine/engine.js';
import { boundsOf, differenceBounds, type MetricName, metrics } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';
import { type Definedness, undefinedByPredictions } from '../scoring/undefined-scores.js';
import type { LearnedCount } from './learned-records.js';
import { describeParts, type MethodScores, type ScoreDifference, type Scores } from './scores.js';

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
      const perSeed = scores.map(({ value }) => value);
      const perSplit = bySplit(scores).map(meanOf);
      const several = perSplit.length > 1;
      const valid = scores.flatMap((score) => score.valid ?? []);
      const perTarget = scores.flatMap((score) => (score.perTarget ? [score.perTarget] : []));
      return {
        ...row,
        perSeed,
        ...(valid.length > 0 && { validPerSeed: valid }),
        ...(perTarget.length > 0 && { perTarget }),
        ...(several && { perSplit }),
        ...summarize(several ? perSplit : perSeed, boundsOf(row.metric)),
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
      const [own, others] = [bySplit(scores), bySplit(partner.scores)];
      const paired =
        own.length > 1
          ? own.map((values, split) => meanOf(values) - meanOf(others[split]))
          : own[0].length === others[0].length
            ? own[0].map((value, seed) => value - others[0][seed])
            : [];
      // The rows say why a score is undefined.
      if (paired.length < 2 || paired.some(Number.isNaN)) return [];
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

/** The values of each split, of which those of one split follow each other. */
function bySplit(scores: readonly SeedScore[]): number[][] {
  const splits = new Map<number, number[]>();
  for (const { split, value } of scores) splits.set(split, [...(splits.get(split) ?? []), value]);
  return [...splits.values()];
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
