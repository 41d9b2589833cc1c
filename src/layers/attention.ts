import {
  add,
  attend,
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
import { layerNorm } from './layer-norm.js';
import { linearWeight } from './linear.js';
import { mlp } from './mlp.js';

/** A score that no softmax gives weight to, yet leaves a row of nothing but these finite. */
const EXCLUDED = -1e30;

/**
 * Given the attention map float32[batch, heads, queries, keys], through which no gradient flows, returns the keys
 * to hide as well: bool[batch, keys], true = hidden.
 */
export type HideKeys = (attention: Value) => Value;

export interface AttentionOptions {
  heads: number;
  /** Width of queries and keys over all heads; by default that of `queries`. */
  keyWidth?: number;
  /** Width of values and of the result over all heads; by default that of `queries`. */
  valueWidth?: number;
  /** bool[batch, keys]: true = not attended to. */
  excluded?: Value;
  hideKeys?: HideKeys;
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
 * Multi-head scaled dot-product attention (Vaswani et al., 2017) without biases:
 * queries float32[batch, n, width], source float32[batch, keys, sourceWidth] → float32[batch, n, valueWidth].
 * Queries may have one row that serves the whole batch.
 *
 * With a single head that has no more queries than keys the same products are taken in a cheaper order: queries · (source · K)ᵀ as
 * (queries · Kᵀ) · sourceᵀ, and weights · (source · V) · O as (weights · source) · (V · O), so that no row of the source is projected.
 */
export function attention(queries: Value, source: Value, options: AttentionOptions): Value {
  const [, count, width] = queries.shape;
  const [, keys, sourceWidth] = source.shape.map((size, axis) => (axis === 0 ? size : staticSize(size)));
  const { heads, keyWidth = staticSize(width), valueWidth = staticSize(width), excluded, hideKeys } = options;
  for (const size of [keyWidth, valueWidth]) {
    if (size % heads !== 0) throw new Error(`attention: width ${size} is not divisible by ${heads} heads`);
  }
  const weights = {
    query: linearWeight('query', staticSize(width), keyWidth),
    key: linearWeight('key', Number(sourceWidth), keyWidth),
    value: linearWeight('value', Number(sourceWidth), valueWidth),
    output: linearWeight('output', valueWidth, valueWidth),
  };
  const projectsSource = heads > 1 || staticSize(count) > Number(keys);

  // Scaling the weights takes a pass over them instead of one over all scores.
  const q = matmul(queries, multiply(weights.query, scalar(1 / Math.sqrt(keyWidth / heads))));
  let scores = projectsSource
    ? matmul(splitHeads(q, heads), splitHeads(matmul(source, weights.key), heads), { transposeB: true })
    : matmul(splitHeads(matmul(q, weights.key, { transposeB: true }), 1), splitHeads(source, 1), {
        transposeB: true,
      });
  if (excluded) scores = add(scores, maskBias(excluded));
  if (hideKeys) scores = add(scores, maskBias(hideKeys(softmax(stopGradient(scores)))));
  if (projectsSource) {
    const mixed = attend(scores, splitHeads(matmul(source, weights.value), heads));
    return matmul(joinHeads(mixed), weights.output);
  }
  return matmul(joinHeads(attend(scores, splitHeads(source, 1))), matmul(weights.value, weights.output));
}

/**
 * One pre-norm block: attention and an MLP, each added to what came in (the attention unless `residual` is false). Without `source` the states attend to
 * themselves; with it, to the source, which is taken as it is, not normalised again.
 */
export function attentionBlock(
  name: string,
  states: Value,
  options: AttentionOptions & { source?: Value; residual?: boolean; widening: number },
): Value {
  return scope(name, () => {
    const queries = layerNorm('attention_norm', states);
    const attended = scope('attention', () => attention(queries, options.source ?? queries, options));
    const mixed = options.residual === false ? attended : add(attended, states);
    return add(mlp('mlp', layerNorm('mlp_norm', mixed), options.widening), mixed);
  });
}
