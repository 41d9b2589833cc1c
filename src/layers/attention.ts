import { InputError } from '../errors.js';
import {
  add,
  attend,
  gather,
  matmul,
  multiply,
  reshape,
  scalar,
  scope,
  softmax,
  staticSize,
  stopGradient,
  transpose,
  type Value,
  where,
} from '../graph/index.js';
import { type Dropout, dropped, droppedPath } from './dropout.js';
import { layerNorm, layerNormOf } from './layer-norm.js';
import { linearWeight } from './linear.js';
import { mlp } from './mlp.js';

/** A score that no softmax gives weight to, yet leaves a row of nothing but these finite. */
const EXCLUDED = -1e30;

/**
 * Given the attention map float32[batch, heads, queries, keys], through which no gradient flows, returns the keys
 * to hide as well: bool[batch, keys], true = hidden.
 */
export type HideKeys = (attention: Value) => Value;

/** Heads and widths, and which keys are attended to. */
export interface AttentionOptions {
  heads: number;
  /** Width of queries and keys over all heads; by default that of `queries`. */
  keyWidth?: number;
  /** Width of values over all heads; by default that of `queries`. */
  valueWidth?: number;
  /** Width of the result; by default that of the values. */
  outputWidth?: number;
  /** bool[batch, keys]: true = not attended to. */
  excluded?: Value;
  hideKeys?: HideKeys;
  /** What is dropped of the map and of the result, where something is. */
  dropout?: Dropout;
  /** int32[batch, n]: which of the queries, whose one row serves the whole batch, each record asks; by default all. */
  asked?: Value;
}

/** float32[batch, tokens, heads · d] → float32[batch, heads, tokens, d] */
function splitHeads(x: Value, heads: number): Value {
  const [batch, tokens, width] = x.shape;
  if (heads === 1) return reshape(x, [batch, 1, tokens, width]);
  return transpose(reshape(x, [batch, tokens, heads, staticSize(width) / heads]), [0, 2, 1, 3]);
}

/** float32[batch, heads, tokens, d] → float32[batch, tokens, heads · d] */
function joinHeads(x: Value): Value {
  const [batch, heads, tokens, d] = x.shape.map((size, axis) => (axis === 0 ? size : staticSize(size)));
  const byToken = heads === 1 ? x : transpose(x, [0, 2, 1, 3]);
  return reshape(byToken, [batch, tokens, Number(heads) * Number(d)]);
}

/** What is added to scores float32[batch, heads, queries, keys] so that the masked keys bool[batch, keys] get no weight. */
const maskBias = (mask: Value) =>
  reshape(where(mask, scalar(EXCLUDED), scalar(0)), [mask.shape[0], 1, 1, mask.shape[1]]);

/**
 * Throws InputError, starting with the configuration key `key`, for a number of heads that does not divide the widths
 * it splits, which are given by the names of their keys.
 */
export function checkHeads(key: string, heads: number, widths: Readonly<Record<string, number>>): void {
  const divides = (n: number) => Object.values(widths).every((size) => size % n === 0);
  if (divides(heads)) return;
  let fitting = heads;
  while (!divides(fitting)) fitting--;
  const named = Object.entries(widths).map(([name, size]) => `${name} = ${size}`);
  throw new InputError(`${key}: expected a divisor of ${named.join(' and ')}, got ${heads}; try ${fitting}`);
}

interface AttentionWeights {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly output: Value;
}

function attentionWeights(
  queryWidth: number,
  sourceWidth: number,
  options: AttentionOptions,
): AttentionWeights {
  const { heads, keyWidth = queryWidth, valueWidth = queryWidth, outputWidth = valueWidth } = options;
  for (const size of [keyWidth, valueWidth]) {
    if (size % heads !== 0) throw new Error(`attention: width ${size} is not divisible by ${heads} heads`);
  }
  return {
    query: linearWeight('query', queryWidth, keyWidth),
    key: linearWeight('key', sourceWidth, keyWidth),
    value: linearWeight('value', sourceWidth, valueWidth),
    output: linearWeight('output', valueWidth, outputWidth),
  };
}

/**
 * A single head that has no more queries than keys takes the same products in a cheaper order, in which no row of the
 * source is projected: queries · (source · K)ᵀ as (queries · Kᵀ) · sourceᵀ, and weights · (source · V) · O as
 * (weights · source) · (V · O).
 */
const projectsSource = (
  queries: Value,
  source: Value,
  { heads, asked = queries }: AttentionOptions,
): boolean => heads > 1 || staticSize(asked.shape[1]) > staticSize(source.shape[1]);

/** What each record asks: float32[1, tokens, width] → float32[batch, n, width]. */
const askedOf = (queries: Value, asked?: Value): Value =>
  asked ? gather(reshape(queries, queries.shape.slice(1)), asked) : queries;

/** Scaled scores float32[batch, heads, queries, keys], in which excluded keys have no chance. */
function attentionScores(
  weights: AttentionWeights,
  queries: Value,
  source: Value,
  options: AttentionOptions,
): Value {
  const { heads, excluded, asked } = options;
  const scale = 1 / Math.sqrt(staticSize(weights.query.shape[1]) / heads);
  // Scaling the weights takes a pass over them instead of one over all scores.
  const q = matmul(queries, multiply(weights.query, scalar(scale)));
  const scores = projectsSource(queries, source, options)
    ? matmul(splitHeads(askedOf(q, asked), heads), splitHeads(matmul(source, weights.key), heads), {
        transposeB: true,
      })
    : matmul(
        splitHeads(askedOf(matmul(q, weights.key, { transposeB: true }), asked), 1),
        splitHeads(source, 1),
        { transposeB: true },
      );
  return excluded ? add(scores, maskBias(excluded)) : scores;
}

/** `attend`, where some weights may be dropped. */
function mixValues(scores: Value, values: Value, dropout?: Dropout): Value {
  if (!dropout?.attention_dropout) return attend(scores, values);
  return matmul(dropped('map', softmax(scores), dropout.attention_dropout, dropout), values);
}

function attentionOf(
  weights: AttentionWeights,
  queries: Value,
  source: Value,
  options: AttentionOptions,
): Value {
  const { heads, hideKeys, dropout } = options;
  let scores = attentionScores(weights, queries, source, options);
  if (hideKeys) scores = add(scores, maskBias(hideKeys(softmax(stopGradient(scores)))));
  if (!projectsSource(queries, source, options)) {
    const mixed = mixValues(scores, splitHeads(source, 1), dropout);
    return matmul(joinHeads(mixed), matmul(weights.value, weights.output));
  }
  const mixed = mixValues(scores, splitHeads(matmul(source, weights.value), heads), dropout);
  return matmul(joinHeads(mixed), weights.output);
}

/**
 * Multi-head scaled dot-product attention (Vaswani et al., 2017) without biases:
 * queries float32[batch, n, width], source float32[batch, keys, sourceWidth] → float32[batch, n, outputWidth].
 * Queries may have one row that serves the whole batch. Throws Error for heads that do not divide the widths.
 */
export function attention(queries: Value, source: Value, options: AttentionOptions): Value {
  const [queryWidth, sourceWidth] = [queries, source].map((x) => staticSize(x.shape[2]));
  return attentionOf(attentionWeights(queryWidth, sourceWidth, options), queries, source, options);
}

/** What a block attends to, and what it adds. */
export interface BlockOptions extends AttentionOptions {
  /** float32[batch, keys, sourceWidth]: what is attended to, as it is, not normalised again; by default the states. */
  readonly source?: Value;
  /** Whether states that attend to themselves are keys and values as normalised, like the queries; by default they are. */
  readonly normalizesSource?: boolean;
  /** Whether what came in is added to the attention. */
  readonly residual?: boolean;
  /** Whether attention and MLP add nothing to the records that drop-path drops. */
  readonly dropPath?: boolean;
  /** Inner width of the MLP, as a multiple of the states'. */
  readonly widening: number;
  /**
   * Given the map float32[batch, heads, n, n] of the states' attention to each other, through which no gradient flows,
   * returns the states to go on with instead, and which of them are excluded as keys.
   */
  readonly narrow?: (attention: Value) => { states: Value; excluded: Value };
}

/**
 * One pre-norm block: attention and an MLP, each added to what came in. Without `source` the states attend to
 * themselves. float32[batch, n, width] → float32[batch, n, width]. Throws Error for heads that do not divide the widths.
 */
export function attentionBlock(name: string, states: Value, options: BlockOptions): Value {
  return scope(name, () => {
    const width = staticSize(states.shape[2]);
    const normalize = layerNormOf('attention_norm', width);
    const weights = scope('attention', () =>
      attentionWeights(width, staticSize((options.source ?? states).shape[2]), options),
    );
    const sourceOf = (of: Value, queries: Value) =>
      options.source ?? (options.normalizesSource === false ? of : queries);
    const { dropout } = options;
    const drop = (site: string, branch: Value) => {
      const kept = dropped(site, branch, dropout?.dropout, dropout);
      return options.dropPath ? droppedPath(site, kept, dropout) : kept;
    };
    const blockOf = (of: Value, excluded = options.excluded) => {
      const queries = normalize(of);
      const attended = scope('attention', () =>
        attentionOf(weights, queries, sourceOf(of, queries), { ...options, excluded }),
      );
      const mixed =
        options.residual === false ? drop('attention', attended) : add(drop('attention', attended), of);
      return add(drop('mlp', mlp('mlp', layerNorm('mlp_norm', mixed), options.widening)), mixed);
    };
    if (!options.narrow) return blockOf(states);
    const [asking, queries] = [stopGradient(states), normalize(stopGradient(states))];
    const map = scope('attention', () =>
      softmax(attentionScores(weights, queries, sourceOf(asking, queries), options)),
    );
    const narrowed = options.narrow(stopGradient(map));
    return blockOf(narrowed.states, narrowed.excluded);
  });
}
