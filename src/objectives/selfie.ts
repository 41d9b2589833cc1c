import type { Encoding } from '../encoders/encoder.js';
import {
  add,
  cast,
  constant,
  divide,
  equal,
  exp,
  expand,
  gatherElements,
  less,
  log,
  logicalAnd,
  logicalNot,
  matmul,
  maximum,
  multiply,
  reshape,
  scalar,
  scatterElements,
  staticSize,
  stopGradient,
  subtract,
  sum,
  transpose,
  type Value,
  where,
  zerosOf,
} from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import { embedTokens } from '../layers/token-embedding.js';
import type { Batch } from '../records/batch.js';
import { MISSING_ID, type TokenSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  askStates,
  checkMasking,
  encodeVisible,
  type MaskingOptions,
  maskingDefaults,
  maskingOptions,
  type Selection,
} from './masked-autoencoding.js';
import type { Objective, ObjectiveInputs } from './objective.js';
import { randomPositions, selectRandom } from './random-masking.js';

/** The options of Selfie; it predicts no ids, so its output is tied to nothing. */
export type SelfieOptions = Omit<MaskingOptions, 'tied_output'>;

/**
 * int32[size, tokens]: equal numbers for tokens that hold the same, among those that are candidates together: the tokens of a
 * record, or the cells of a table's column. A token's number is the place, in its record or column, of the first that holds what
 * it does.
 */
function contentNumbers(spec: TokenSpec, { rows, size, tokens, lengths, ids, values }: Batch) {
  const channels = values ? values.length / (size * tokens) : 0;
  const same = (a: number, b: number): boolean => {
    if (ids && ids[a] !== ids[b]) return false;
    for (let c = 0; c < channels; c++)
      if (values![a * channels + c] !== values![b * channels + c]) return false;
    return true;
  };
  const numbers = new Int32Array(size * tokens);
  for (let row = 0; row < rows; row++) {
    for (let token = 0; token < lengths[row]; token++) {
      const at = row * tokens + token;
      const [first, step] = spec.kind === 'fields' ? [token, tokens] : [row * tokens, 1];
      let number = 0;
      while (first + number * step < at && !same(first + number * step, at)) number++;
      numbers[at] = number;
    }
  }
  return hostTensor('int32', [size, tokens], numbers);
}

/** Questions, each of which has to find its own among the candidates of its group. */
interface Questions {
  /** float32[groups, n, width]: question i asks for candidate i. */
  readonly queries: Value;
  /** float32[groups, n, width] */
  readonly candidates: Value;
  /** int32[groups, n]: candidates with one number hold the same, and are equally right. */
  readonly contents: Value;
  /** float32[groups or 1, n]: 1 = a candidate. */
  readonly offered: Value;
  /** float32[groups, n]: 1 = a question. */
  readonly asked: Value;
}

/** What takes no part in a softmax. */
const LOW = -1e9;

/** log Σ exp over the last axis. */
function logSumExp(x: Value): Value {
  const top = stopGradient(maximum(x, [-1], { keepSizes: true }));
  return add(reshape(top, x.shape.slice(0, -1)), log(sum(exp(subtract(x, top)), [-1])));
}

/**
 * Cross-entropy in nats, float32[groups, n], of the softmax over the scaled products of a query with the candidates, where what
 * holds the same is right together; that of a uniform choice; whether the choice is right; and the questions that have
 * something wrong to choose. Without such the choice is right in any case.
 */
function choose({ queries, candidates, contents, offered, asked }: Questions) {
  const [groups, n] = contents.shape;
  const width = staticSize(queries.shape[2]);
  const logits = multiply(matmul(queries, candidates, { transposeB: true }), scalar(width ** -0.5));
  const candidate = less(scalar(0.5), reshape(offered, [offered.shape[0], 1, n]));
  const same = equal(reshape(contents, [groups, n, 1]), reshape(contents, [groups, 1, n]));
  const right = logicalAnd(same, candidate);
  const wrong = logicalAnd(logicalNot(same), candidate);
  const count = (which: Value) => sum(cast(which, 'float32'), [-1]);
  const best = (which: Value) => maximum(where(which, logits, scalar(LOW)), [-1]);
  const [rightCount, wrongCount] = [count(right), count(wrong)];
  // A place that holds no question may have no candidates.
  const atLeastOne = where(less(rightCount, scalar(1)), scalar(1), rightCount);
  const open = less(scalar(0.5), wrongCount);
  return {
    loss: subtract(
      logSumExp(where(candidate, logits, scalar(LOW))),
      logSumExp(where(right, logits, scalar(LOW))),
    ),
    uniform: log(add(scalar(1), divide(wrongCount, atLeastOne))),
    accurate: cast(less(best(wrong), best(right)), 'float32'),
    asked: where(open, asked, scalar(0)),
  };
}

/**
 * The hidden tokens of each record, float32[batch, k, width], among each other. They are embedded as if all stood in the first
 * place: with no position at all, layer norm would leave only the sign of a single number.
 */
function withinRecords(
  { noise, spec, tokens, encoder }: ObjectiveInputs,
  queries: Value,
  { positions, used }: Selection,
): Questions {
  const { embedAt } = embedTokens(spec, tokens, encoder.embed_width);
  const first = cast(zerosOf(used), 'int32');
  const contents = gatherElements(noise.contents, positions, 1);
  return { queries, candidates: embedAt(positions, first), contents, offered: used, asked: used };
}

/**
 * The hidden cells that are not missing, float32[batch, k, width], each among all of its column in the whole batch: a group is
 * a column. All of them have the same position.
 */
function withinColumns(
  { noise, tokens, rows, across }: ObjectiveInputs,
  queries: Value,
  { embedded }: Encoding,
  { positions }: Selection,
  hidden: Value,
): Questions {
  const [batch, k, width] = queries.shape;
  const places = expand(reshape(positions, [batch, k, 1]), [batch, k, width]);
  const everywhere = scatterElements(zerosOf(embedded), places, queries, 1, 'none');
  const missing = equal(tokens.ids!, constant(hostTensor('int32', [], Int32Array.of(MISSING_ID))));
  const byColumn = (own: Value) => {
    const x = across(own);
    return transpose(x, x.shape.length === 2 ? [1, 0] : [1, 0, 2]);
  };
  const all = across(rows);
  return {
    queries: byColumn(everywhere),
    candidates: byColumn(embedded),
    contents: byColumn(noise.contents),
    offered: reshape(all, [1, all.shape[0]]),
    asked: byColumn(cast(logicalAnd(hidden, logicalNot(missing)), 'float32')),
  };
}

/**
 * Selfie (Trinh, Luong & Le, 2019): for each hidden position find, among the hidden tokens, the one that was there. The
 * decoder, asked with the position, gives a query; a token is what the encoder's embedding makes of it, without its own position.
 *
 * Departures from the paper, which is on images: the decoder is SMA's, one cross-attention with the states, where the paper
 * pools the states by attention and adds the position; products are divided by the root of the width; candidates that hold the
 * same are right together. Columns of a table do not compare, so a cell is sought among its column's in all records
 * of the batch.
 */
export const selfie: Objective<SelfieOptions> = {
  paper: 'Trinh, Luong & Le, "Selfie: Self-supervised Pretraining for Image Embedding", 2019',
  options: { masking_ratio: maskingOptions.masking_ratio, decoder_heads: maskingOptions.decoder_heads },
  defaults(spec, encoder, chosen) {
    const { masking_ratio, decoder_heads } = maskingDefaults(spec, encoder, chosen);
    return { masking_ratio, decoder_heads };
  },
  check: checkMasking,
  // A cell of a table is sought in all records of the batch, and what is equal to it is numbered there.
  byRecord: (_options, { kind }) => (kind === 'fields' ? 'loss' : 'noise and loss'),
  noise: (options, spec, shape) => ({
    ...randomPositions.noise(options, spec, shape),
    contents: { dtype: 'int32', shape: [shape.size, shape.tokens] },
  }),
  draw: (options, spec, shape, batch, progress, source) => ({
    ...randomPositions.draw(options, spec, shape, batch, progress, source),
    contents: contentNumbers(spec, batch),
  }),
  build(options, inputs) {
    const { encoding, selection, hidden } = encodeVisible(options, inputs, () => selectRandom(inputs));
    const queries = askStates(encoding, selection.positions, options.decoder_heads);
    const { loss, uniform, accurate, asked } = choose(
      inputs.spec.kind === 'fields'
        ? withinColumns(inputs, queries, encoding, selection, hidden)
        : withinRecords(inputs, queries, selection),
    );
    const { mean, weight } = weightedMean(loss, asked);
    const marginalLoss = weightedMean(uniform, asked).mean;
    return {
      loss: mean,
      weight,
      marginalLoss,
      hidden,
      metrics: { accuracy: weightedMean(accurate, asked).mean },
    };
  },
};
