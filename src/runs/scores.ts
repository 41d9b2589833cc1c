/** What an evaluation leaves behind: scores.json, and the result of `finetune` and `probe`. */

import type { LabelledData } from '../datasets/labelled-data.js';
import type { Interval } from '../scoring/statistics.js';
import { hasFile, readRunJson, runFile, writeRunJson } from './folder.js';
import type { LearnedCount } from './learned-records.js';

/** One method's test scores over its seeds. */
export interface MethodScores extends Interval {
  readonly method: string;
  readonly metric: string;
  /** Training labels of each class, or in all where a record has no single class; missing where all are used. */
  readonly shots?: number;
  /** With several splits, the seeds of one after those of the other. */
  readonly perSeed: readonly number[];
  /** With several splits, the mean over the seeds of each: what the interval is over. */
  readonly perSplit?: readonly number[];
  /** Per seed the score on the validation part, where training was stopped by it: settings are chosen by these, never by test. */
  readonly validPerSeed?: readonly number[];
  /** Per seed the score of each target, where there are several. */
  readonly perTarget?: readonly (readonly number[])[];
  /** Why values that are not numbers are undefined, where there are some. */
  readonly reason?: string;
  /** Training and scoring of all seeds. */
  readonly seconds: number;
}

/** By how much a method's score is above that of another, paired by split and seed. */
export interface ScoreDifference extends Interval {
  readonly method: string;
  /** The method whose score is taken off. */
  readonly minus: string;
  readonly metric: string;
  readonly shots?: number;
}

/**
 * What one method has more than another, by split where there are several, else by seed; undefined where they are not of as many, or of
 * one alone, which would tell of no scatter.
 */
export function pairedScores(
  own: Pick<MethodScores, 'perSeed' | 'perSplit'>,
  other: Pick<MethodScores, 'perSeed' | 'perSplit'>,
): number[] | undefined {
  const [values, others] = [own, other].map(({ perSplit, perSeed }) => perSplit ?? perSeed);
  if (values.length < 2 || values.length !== others.length) return undefined;
  return values.map((value, at) => value - others[at]);
}

/** The test scores of all methods, beside each other. */
export interface Scores {
  /** Name of the labelled data, without its path; earlier versions do not tell. */
  readonly data?: string;
  /** Its checksum, likewise. */
  readonly hash?: string;
  readonly task: string;
  /** The columns that were predicted. */
  readonly targets: readonly string[];
  readonly metric: string;
  readonly higherIsBetter: boolean;
  /** Where the split comes from and how many labelled records each part has; of several splits the first. */
  readonly split: {
    readonly by: string;
    readonly train: number;
    readonly valid: number;
    readonly test: number;
    /** How many times the parts were drawn, where several times. */
    readonly splits?: number;
    /**
     * How many of the test records a run learned from, without their labels, in the split where it is most; missing where
     * the run does not tell.
     */
    readonly testLearned?: LearnedCount;
  };
  readonly methods: readonly MethodScores[];
  /** What pretraining brought, where there are several splits or seeds to tell how sure that is. */
  readonly differences?: readonly ScoreDifference[];
  /** What the networks were computed on, where it was not the CPU. */
  readonly adapter?: string;
  /** The scores.json that was written, if one was. */
  readonly file?: string;
}

/** What the scores say of the parts. */
export const describeParts = (
  { splitBy, counts, splits }: Pick<LabelledData, 'splitBy' | 'counts' | 'splits'>,
  learned: LearnedCount | undefined,
): Scores['split'] => ({
  by: splitBy,
  ...counts,
  ...(splits.length > 1 && { splits: splits.length }),
  ...(learned && { testLearned: learned }),
});

/** Writes scores.json into a run and gives the scores with its path. What is undefined becomes null, with a `reason`. */
export async function writeScores(run: string, scores: Scores): Promise<Scores> {
  await writeRunJson(run, 'scores', scores);
  return { ...scores, file: runFile(run, 'scores') };
}

/** The same value with NaN where it was undefined when it was written: JSON has no such number. */
function withUndefined<T>(value: T): T {
  if (value === null) return Number.NaN as T;
  if (Array.isArray(value)) return value.map(withUndefined) as T;
  if (typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value as object).map(([key, own]) => [key, withUndefined(own)]),
  ) as T;
}

/** The scores that a run has, or undefined. Throws InputError for a scores.json that is no JSON. */
export async function readScores(run: string): Promise<Scores | undefined> {
  return (await hasFile(run, 'scores'))
    ? withUndefined((await readRunJson(run, 'scores')) as Scores)
    : undefined;
}
