/**
 * How the error of a hidden token moves while a run learns (Xia et al., "Training Trajectories of Language Models Across
 * Scales", ACL 2023).
 */
import { InputError } from '../errors.js';
import type { TokenBlock } from '../records/token-block.js';
import { studentT } from '../scoring/statistics.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** What becomes of an error: it falls, it stands still, it rises. */
export type Trend = 'falls' | 'still' | 'rises';
export const trends: readonly Trend[] = ['falls', 'still', 'rises'];

/** Fewer points have no slope that could be told from none. */
export const FEWEST_POINTS = 4;

/** Of errors that stand still but for noise, as many are taken to rise, and as many to fall. */
export const RISES_BY_CHANCE = 0.025;

/** Tokens that are the same: a letter or a piece of text, a column, a patch. */
export interface TokenKind {
  readonly token: string;
  readonly count: number;
  /** Their mean error when hidden, checkpoint by checkpoint. */
  readonly errors: readonly number[];
  /** The step of the first checkpoint whose mean error is nearer to the lowest than to the first. */
  readonly learned: number;
  /** The share of them whose error rises. */
  readonly rising: number;
}

/** How the errors of some records' tokens moved. */
export interface TokenTrajectories {
  readonly records: number;
  readonly tokens: number;
  /** The steps of the checkpoints. */
  readonly steps: readonly number[];
  /** The mean error of all tokens, checkpoint by checkpoint. */
  readonly errors: readonly number[];
  /** By what becomes of a token's error: the share of such tokens, and their mean errors. */
  readonly trends: Readonly<Record<Trend, { readonly share: number; readonly errors: readonly number[] }>>;
  /** Those that are there at least five times, the most frequent first. */
  readonly kinds: readonly TokenKind[];
  /** What becomes of the error of each token of the block; undefined for one that is not predicted. */
  readonly of: readonly (Trend | undefined)[];
}

/** A mean of fewer tokens tells little. */
const FEWEST_TOKENS = 5;

/**
 * The trend of errors at evenly spaced moments: that of the slope of a line through them by least squares, where a t-test
 * tells it from 0 at 5 %. Departure from the paper, which takes perplexities: errors are nats, or squared.
 * @internal
 */
export function trendOf(errors: ArrayLike<number>): Trend {
  const n = errors.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += errors[i] / n;
  const middle = (n - 1) / 2;
  let [sxx, sxy, syy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [i - middle, errors[i] - mean];
    sxx += x * x;
    sxy += x * y;
    syy += y * y;
  }
  const slope = sxy / sxx;
  // What the line leaves of the squares; rounding may make it less than none.
  const residual = Math.max(0, syy - slope * sxy);
  const bound = studentT(1 - 2 * RISES_BY_CHANCE, n - 2) * Math.sqrt(residual / (n - 2) / sxx);
  if (!(Math.abs(slope) > bound)) return 'still';
  return slope < 0 ? 'falls' : 'rises';
}

/**
 * The place of the first error that is nearer to the lowest one than to the first.
 * @internal
 */
export function halfLearned(errors: ArrayLike<number>): number {
  const all = Array.from(errors);
  const half = (all[0] + Math.min(...all)) / 2;
  return all.findIndex((error) => error <= half);
}

/** The mean of the errors that are known; the others are NaN. */
export function meanError(errors: ArrayLike<number>): number {
  const known = Array.from(errors).filter((error) => !Number.isNaN(error));
  return known.reduce((sum, error) => sum + error, 0) / known.length;
}

/**
 * What becomes of the errors, float32[tokens of the block] for each checkpoint, of tokens one by one and of those that are the
 * same. Throws InputError where no error is known.
 */
export function tokenTrajectories(
  tokenizer: Tokenizer,
  { count, offsets, ids }: TokenBlock,
  steps: readonly number[],
  errors: readonly Float32Array[],
): TokenTrajectories {
  const meansOf = (tokens: readonly number[]) =>
    errors.map((own) => meanError(tokens.map((token) => own[token])));
  const of: (Trend | undefined)[] = Array(offsets[count]).fill(undefined);
  const byKind = new Map<string, number[]>();
  const byTrend: Record<Trend, number[]> = { falls: [], still: [], rises: [] };
  for (let record = 0; record < count; record++) {
    for (let token = offsets[record]; token < offsets[record + 1]; token++) {
      const own = errors.map((all) => all[token]);
      if (own.some(Number.isNaN)) continue;
      const trend = trendOf(own);
      of[token] = trend;
      byTrend[trend].push(token);
      const id = tokenizer.spec.kind === 'discrete' ? ids![token] : undefined;
      const name = tokenizer.tokenLabel(token - offsets[record], id);
      const same = byKind.get(name);
      if (same) same.push(token);
      else byKind.set(name, [token]);
    }
  }
  const all = trends.flatMap((trend) => byTrend[trend]);
  if (all.length === 0)
    throw new InputError(
      'no token of these records is predicted: each record has but one, or all cells are missing',
    );
  const kinds = [...byKind]
    .filter(([, tokens]) => tokens.length >= FEWEST_TOKENS)
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([token, tokens]): TokenKind => {
      const means = meansOf(tokens);
      return {
        token,
        count: tokens.length,
        errors: means,
        learned: steps[halfLearned(means)],
        rising: tokens.filter((one) => of[one] === 'rises').length / tokens.length,
      };
    });
  const trendSummary = (trend: Trend) => ({
    share: byTrend[trend].length / all.length,
    errors: meansOf(byTrend[trend]),
  });
  return {
    records: count,
    tokens: all.length,
    steps,
    errors: meansOf(all),
    trends: { falls: trendSummary('falls'), still: trendSummary('still'), rises: trendSummary('rises') },
    kinds,
    of,
  };
}
