/** What cannot be in the scores of an evaluation, whatever was evaluated. */
import { boundsOf, differenceBounds } from '../scoring/metrics.js';
import { type Bounds, type Interval, summarize } from '../scoring/statistics.js';
import type { MethodScores, Scores } from './scores.js';

const nameOf = ({ method, metric, shots }: Pick<MethodScores, 'method' | 'metric' | 'shots'>) =>
  `${method}, ${metric}${shots === undefined ? '' : `, ${shots} shots`}`;

/** A file has null for what is no number. */
const number = (value: number | null): number => value ?? Number.NaN;

/** Whether two numbers are one, but for rounding. */
const same = (a: number | null, b: number | null): boolean => {
  const [x, y] = [number(a), number(b)];
  return (
    Object.is(x, y) || x === y || Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y), Number.EPSILON)
  );
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** What differs between an interval and that of the values that it is of. */
function intervalFaults(name: string, found: Interval, values: readonly number[], bounds?: Bounds): string[] {
  const expected = summarize(values.map(number), bounds);
  return (['n', 'mean', 'sd', 'low', 'high'] as const).flatMap((key) =>
    same(found[key], expected[key])
      ? []
      : [`${name}: ${key} is ${found[key]}, and that of its values ${expected[key]}`],
  );
}

/** The values of a row by the splits that they are of, those of one split after those of the other. */
function bySplit({ perSeed, perSplit }: MethodScores): readonly (readonly number[])[] {
  const splits = perSplit?.length ?? 1;
  const each = perSeed.length / splits;
  return Array.from({ length: splits }, (_, split) => perSeed.slice(split * each, (split + 1) * each));
}

/** The values that a row's mean is of. */
const summarized = ({ perSeed, perSplit }: MethodScores): readonly number[] => perSplit ?? perSeed;

/** Values that are no numbers and no reason is given for. */
export function undefinedScores({ methods }: Scores): string[] {
  return methods.flatMap((row) => {
    if (row.reason !== undefined) return [];
    const values = [...row.perSeed, ...(row.validPerSeed ?? []), row.mean];
    return values.every((value) => Number.isFinite(number(value)))
      ? []
      : [`${nameOf(row)}: a score is no number, and no reason is given`];
  });
}

/** Means, deviations, intervals and differences that are not those of the scores of the seeds. */
export function summaryFaults({ methods, differences = [] }: Scores): string[] {
  const rows = methods.flatMap((row) => {
    const name = nameOf(row);
    const splits = bySplit(row);
    return [
      ...(row.perSplit ?? []).flatMap((value, split) =>
        same(value, mean(splits[split].map(number)))
          ? []
          : [`${name}: the mean of split ${split + 1} is ${value}, and that of its seeds another`],
      ),
      ...(row.perTarget ?? []).flatMap((values, seed) => {
        const defined = values.filter((value) => Number.isFinite(number(value)));
        return same(row.perSeed[seed], mean(defined))
          ? []
          : [`${name}: the score of seed ${seed} is ${row.perSeed[seed]}, and that of its targets another`];
      }),
      ...intervalFaults(name, row, summarized(row), boundsOf(row.metric)),
    ];
  });
  const paired = differences.flatMap((row) => {
    const name = `${nameOf(row)} minus ${row.minus}`;
    const rowOf = (method: string) => methods.find((own) => nameOf(own) === nameOf({ ...row, method }));
    const [own, other] = [rowOf(row.method), rowOf(row.minus)];
    if (!own || !other) return [`${name}: one of the two has no scores`];
    const values = summarized(own).map((value, i) => number(value) - number(summarized(other)[i]));
    return intervalFaults(name, row, values, differenceBounds(row.metric));
  });
  return [...rows, ...paired];
}

/** Whether a score may be met twice by chance: a bound, or a share of whole records. */
const isCommon = (value: number, records: number): boolean =>
  Number.isInteger(value) || Math.abs(value * records - Math.round(value * records)) < 1e-6;

/** Seeds of one method and split with all scores alike, of numbers that are not met twice by chance. */
export function repeatedSeeds({ methods, split }: Scores): string[] {
  return methods.flatMap((row) => {
    const { perSeed, validPerSeed = [] } = row;
    const each = bySplit(row)[0].length;
    const first = new Map<string, number>();
    return perSeed.flatMap((value, place) => {
      if (isCommon(number(value), split.test) || Number.isNaN(number(value))) return [];
      const key = JSON.stringify([Math.floor(place / each), value, validPerSeed[place]]);
      const before = first.get(key);
      first.set(key, before ?? place);
      return before === undefined
        ? []
        : [`${nameOf(row)}: seeds ${before % each} and ${place % each} have the same scores`];
    });
  });
}

/** Test scores that are the validation scores, of numbers that are not met twice by chance. */
export function copiedScores({ methods, split }: Scores): string[] {
  return methods.flatMap((row) =>
    row.perSeed.flatMap((value, seed) =>
      value !== null && value === row.validPerSeed?.[seed] && !isCommon(value, split.test)
        ? [`${nameOf(row)}: the test score of seed ${seed} is its validation score, ${value}`]
        : [],
    ),
  );
}
