import {
  add,
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
import { linear } from './linear.js';
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
  return transpose(reshape(x, [batch, tokens, heads, staticSize(width) / heads]), [0, 2, 1, 3]);
}

/** bool[batch, keys] → bool[batch, 1, 1, keys] */
const overHeads = (mask: Value) => reshape(mask, [mask.shape[0], 1, 1, mask.shape[1]]);

/**
 * Multi-head scaled dot-product attention (Vaswani et al., 2017) without biases:
 * queries float32[batch, n, width], source float32[batch, keys, sourceWidth] → float32[batch, n, valueWidth].
 * Queries may have one row that serves the whole batch.
 */
export function attention(queries: Value, source: Value, options: AttentionOptions): Value {
  const [, count, width] = queries.shape;
  const { heads, keyWidth = staticSize(width), valueWidth = staticSize(width), excluded, hideKeys } = options;
  for (const size of [keyWidth, valueWidth]) {
    if (size % heads !== 0) throw new Error(`attention: width ${size} is not divisible by ${heads} heads`);
  }
  const q = splitHeads(linear('query', queries, keyWidth, { bias: false }), heads);
  const k = splitHeads(linear('key', source, keyWidth, { bias: false }), heads);
  const v = splitHeads(linear('value', source, valueWidth, { bias: false }), heads);
  const scaled = multiply(matmul(q, k, { transposeB: true }), scalar(1 / Math.sqrt(keyWidth / heads)));
  let scores = excluded ? where(overHeads(excluded), scalar(EXCLUDED), scaled) : scaled;
  if (hideKeys) {
    const hidden = hideKeys(softmax(stopGradient(scores)));
    scores = where(overHeads(hidden), scalar(EXCLUDED), scores);
  }
  const mixed = matmul(softmax(scores), v);
  const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [mixed.shape[0], count, valueWidth]);
  return linear('output', joined, valueWidth, { bias: false });
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
