import { z } from 'zod';
import type { EncoderConfig, Encoding } from '../encoders/encoder.js';
import { InputError } from '../errors.js';
import {
  cast,
  concatenate,
  expand,
  filled,
  gather,
  logicalNot,
  multiply,
  layerNorm as normalize,
  parameter,
  reshape,
  scope,
  slice,
  staticSize,
  type Value,
} from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { squaredError, weightedMean } from '../layers/losses.js';
import { valuesAt } from '../layers/token-embedding.js';
import type { Option } from '../options.js';
import type { Batch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { permutation, type Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { cosineMomentum, spread, stackedCopies, targetMomentum } from './joint-embedding.js';
import { hiddenCount } from './masked-autoencoding.js';
import type { BatchShape, Objective } from './objective.js';

/** The options of T-JEPA. */
export interface TJepaOptions {
  /** Least and greatest share of the real tokens that the context encoder reads. */
  readonly context_min_ratio: number;
  readonly context_max_ratio: number;
  /** Least and greatest share of the real tokens in one target mask. */
  readonly target_min_ratio: number;
  readonly target_max_ratio: number;
  /** Target masks for each context. */
  readonly target_masks: number;
  /** Channels of the predictor. */
  readonly predictor_width: number;
  /** Layers of the predictor. */
  readonly predictor_layers: number;
  /** Momentum of the target network at the first step. */
  readonly target_momentum: number;
}

const ratio = (description: string, example: number): Option<number> => ({
  type: z.number().gt(0).lt(1),
  description,
  example,
});

/** The context has one token at least, whatever the length. */
const contextCount = (spec: TokenSpec, length: number, share: number): number =>
  Math.max(1, hiddenCount(spec, length, share));

/** The most tokens in one target mask of any row of this shape. */
const mostTargets = ({ target_max_ratio }: TJepaOptions, spec: TokenSpec, { tokens }: BatchShape): number =>
  Math.max(1, hiddenCount(spec, tokens, target_max_ratio));

const between = (low: number, high: number, { uniform }: Random): number => low + (high - low) * uniform();

/**
 * Draws a context for each row, and target masks among what it leaves out: `hidden` bool[size, tokens], true for tokens
 * outside the context, and for mask m of row r, in row m · size + r, the `target_positions` int32 and `target_used` float32.
 */
function drawMasks(
  options: TJepaOptions,
  spec: TokenSpec,
  shape: BatchShape,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const { size, tokens } = shape;
  const k = mostTargets(options, spec, shape);
  const masks = options.target_masks;
  const hidden = new Uint8Array(size * tokens);
  const positions = new Int32Array(masks * size * k);
  const used = new Float32Array(masks * size * k);
  for (let row = 0; row < batch.rows; row++) {
    const length = batch.lengths[row];
    const stream = source('masks', row);
    const share = between(options.context_min_ratio, options.context_max_ratio, stream);
    const outside = permutation(length, stream).subarray(contextCount(spec, length, share));
    for (const token of outside) hidden[row * tokens + token] = 1;
    for (let mask = 0; mask < masks; mask++) {
      const targetShare = between(options.target_min_ratio, options.target_max_ratio, stream);
      const count = Math.min(outside.length, hiddenCount(spec, length, targetShare));
      const start = (mask * size + row) * k;
      for (const [i, place] of permutation(outside.length, stream).subarray(0, count).entries())
        positions[start + i] = outside[place];
      used.fill(1, start, start + count);
    }
  }
  return {
    hidden: hostTensor('bool', [size, tokens], hidden),
    target_positions: hostTensor('int32', [masks * size, k], positions),
    target_used: hostTensor('float32', [masks * size, k], used),
  };
}

/** What is asked for: the places of some states, and what the target network has there. */
interface Questions {
  /** float32[masks · batch, k, predictor_width]: a learned vector for each place. */
  readonly queries: Value;
  /** float32[masks · batch, k, width] */
  readonly targets: Value;
  /** float32[masks · batch, k]: 1 = asked, 0 = only fills up. */
  readonly used: Value;
}

/**
 * The target network's states of the tokens in each mask. Where it has no state for each token, its states by index, all of
 * them, in a single mask.
 * @internal
 */
export function questions(
  { tokenStates, states, unreadable }: Pick<Encoding, 'tokenStates' | 'states' | 'unreadable'>,
  noise: Readonly<Record<'target_positions' | 'target_used', Value>>,
  rows: Value,
  { maxTokens }: Pick<TokenSpec, 'maxTokens'>,
  { target_masks: masks, predictor_width: width }: Pick<TJepaOptions, 'target_masks' | 'predictor_width'>,
): Questions {
  const [size, count, channels] = states.shape.map(staticSize);
  const deviation = 1 / Math.sqrt(width);
  // A batch that is cut shorter has fewer states of the same places.
  const places = parameter(
    'predictor.queries',
    [Math.max(count, maxTokens), width],
    { kind: 'normal', deviation },
    { decay: false },
  );
  const normalized = (x: Value) => normalize(x, filled([channels], 1), filled([channels], 0), 1e-5);
  if (tokenStates) {
    const { target_positions: positions, target_used: used } = noise;
    return {
      queries: gather(places, positions),
      targets: normalized(valuesAt(stackedCopies(tokenStates, masks), positions)),
      used: multiply(used, reshape(stackedCopies(rows, masks), [masks * size, 1])),
    };
  }
  const real = unreadable ? cast(logicalNot(unreadable), 'float32') : filled([size, count], 1);
  return {
    queries: expand(slice(places, 0, 0, count), [size, count, width]),
    targets: normalized(states),
    used: multiply(real, reshape(rows, [size, 1])),
  };
}

/**
 * The predictor, a pre-norm transformer over the context's states and the queries of each mask together:
 * float32[masks · batch, k, width], what the target network is expected to have there.
 * @internal
 */
export function predictStates(
  { states, unreadable }: Pick<Encoding, 'states' | 'unreadable'>,
  { queries, used }: Pick<Questions, 'queries' | 'used'>,
  { predictor_width, predictor_layers }: Pick<TJepaOptions, 'predictor_width' | 'predictor_layers'>,
  { heads, widening, width }: Pick<EncoderConfig, 'heads' | 'widening' | 'width'>,
): Value {
  return scope('predictor', () => {
    const [size, count] = states.shape.map(staticSize);
    const [rows, k] = queries.shape.map(staticSize);
    const context = linear('input', layerNorm('input_norm', states), predictor_width);
    const missing = unreadable ? cast(unreadable, 'float32') : filled([size, count], 0);
    const unasked = cast(logicalNot(cast(used, 'bool')), 'float32');
    const excluded = cast(concatenate([stackedCopies(missing, rows / size), unasked], 1), 'bool');
    let all = concatenate([stackedCopies(context, rows / size), queries], 1);
    for (let layer = 0; layer < predictor_layers; layer++) {
      all = attentionBlock(`layers.${layer}`, all, {
        heads: predictor_width % heads === 0 ? heads : 1,
        widening,
        excluded,
      });
    }
    return linear('output', layerNorm('output_norm', slice(all, 1, count, count + k)), width);
  });
}

/** Of longer records the states of all tokens, in several masks, take gigabytes. */
const LONGEST_FOR_TRANSFORMER = 256;

/**
 * T-JEPA (Thimonier et al., ICLR 2025), after I-JEPA (Assran et al., CVPR 2023): from the states of some tokens predict those
 * that the target network, which reads the whole record and is an average of the trained one, has of others.
 *
 * Departures from the papers: the sizes of the masks are drawn for each record and not each batch; the states to predict are
 * layer-normalised, as in I-JEPA's code; an encoder without a state for each token has all its states predicted by index; the
 * states of the context get no second position in the predictor.
 */
export const tJepa: Objective<TJepaOptions> = {
  paper:
    'Thimonier et al., "T-JEPA: Augmentation-Free Self-Supervised Learning for Tabular Data", ICLR 2025; Assran et al., CVPR 2023',
  options: {
    context_min_ratio: ratio('least part of the tokens that is read to predict others', 0.3),
    context_max_ratio: ratio('greatest part of the tokens that is read to predict others', 0.5),
    target_min_ratio: ratio('least part of the tokens in one target mask', 0.15),
    target_max_ratio: ratio('greatest part of the tokens in one target mask', 0.35),
    target_masks: { type: z.int().min(1), description: 'target masks for each context', example: 4 },
    predictor_width: { type: z.int().min(1), description: 'channels of the predictor', example: 64 },
    predictor_layers: { type: z.int().min(1), description: 'layers of the predictor', example: 2 },
    target_momentum: targetMomentum,
  },
  defaults: (_spec, { width }, chosen) => ({
    context_min_ratio: chosen.context_min_ratio ?? Math.min(0.3, chosen.context_max_ratio ?? 0.3),
    context_max_ratio: chosen.context_max_ratio ?? Math.max(0.5, chosen.context_min_ratio ?? 0.5),
    target_min_ratio: chosen.target_min_ratio ?? Math.min(0.15, chosen.target_max_ratio ?? 0.15),
    target_max_ratio: chosen.target_max_ratio ?? Math.max(0.35, chosen.target_min_ratio ?? 0.35),
    target_masks: chosen.target_masks ?? 4,
    predictor_width: chosen.predictor_width ?? Math.ceil(width / 2),
    predictor_layers: chosen.predictor_layers ?? 2,
    target_momentum: chosen.target_momentum ?? 0.996,
  }),
  encoderDefaults: ({ maxTokens }) =>
    maxTokens <= LONGEST_FOR_TRANSFORMER ? { kind: 'transformer', registers: 1 } : undefined,
  check(options) {
    for (const part of ['context', 'target'] as const) {
      const [least, most] = [options[`${part}_min_ratio`], options[`${part}_max_ratio`]];
      if (least > most) {
        throw new InputError(
          `objective.${part}_min_ratio: expected at most ${part}_max_ratio = ${most}, got ${least}; try ${most}`,
        );
      }
    }
    const { context_max_ratio: context, target_max_ratio: target } = options;
    // Shares such as 0.7 and 0.3 add up to more than 1 in some last digit.
    if (context + target > 1 + 1e-9) {
      throw new InputError(
        `objective.target_max_ratio: expected at most 1 - context_max_ratio = ${Number((1 - context).toFixed(6))}, since targets are outside the context, got ${target}; lower one of the two`,
      );
    }
  },
  noise(options, spec, shape) {
    const masks = [options.target_masks * shape.size, mostTargets(options, spec, shape)];
    return {
      hidden: { dtype: 'bool', shape: [shape.size, shape.tokens] },
      target_positions: { dtype: 'int32', shape: masks },
      target_used: { dtype: 'float32', shape: masks },
    };
  },
  draw: (options, spec, shape, batch, _progress, source) => drawMasks(options, spec, shape, batch, source),
  build(options, { spec, shape, noise, rows, encoder, encode, target }) {
    const { hidden, target_positions, target_used } = noise;
    const visible = contextCount(spec, shape.tokens, options.context_max_ratio);
    const context = encode({ hiding: { choose: () => hidden, visible } });
    const { pooled, ...whole } = target(() => {
      const { states, tokenStates, unreadable, pooled } = encode();
      return { states, tokenStates, unreadable, pooled };
    });
    const asked = questions(whole, { target_positions, target_used }, rows, spec, options);
    const predicted = predictStates(context, asked, options, encoder);
    const { mean, weight } = weightedMean(squaredError(predicted, asked.targets), asked.used);
    return { loss: mean, weight, hidden, metrics: { target_spread: spread(pooled, rows) } };
  },
  byRecord: () => 'noise and loss',
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress),
};
