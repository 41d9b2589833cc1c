import { z } from 'zod';
import {
  add,
  cast,
  iota,
  less,
  logicalNot,
  logicalOr,
  pad,
  parameter,
  reshape,
  scope,
  slice,
  staticSize,
  stopGradient,
  sum,
  topK,
  type Value,
} from '../graph/index.js';
import { attentionBlock } from '../layers/attention.js';
import { linearOf } from '../layers/linear.js';
import { embedTokens, type Tokens } from '../layers/token-embedding.js';
import { type Encoder, type EncoderConfig, type EncoderPart, unattended } from './encoder.js';
import { meanOf, readableOf } from './readable-states.js';

/** Positions int64[batch, count] of the tokens that may be read, in order, and bool[batch, count]: true = there is none. */
function readableTokens(unreadable: Value, tokens: Tokens, count: number) {
  const readable = cast(logicalNot(unreadable), 'float32');
  const missing = logicalNot(
    less(cast(reshape(iota(count), [1, count]), 'float32'), sum(readable, [1], { keepSizes: true })),
  );
  return { positions: topK(readable, count).indices, missing: reshape(missing, [tokens.batch, count]) };
}

/** What the layers of the stack go over. */
interface Stack {
  /** float32[batch, n, width] */
  readonly states: Value;
  /** bool[batch, n]: true = not attended to. */
  readonly excluded: Value;
}

/** Puts so many learned tokens, which all attend to, after the states. */
function registersOf(registers: number, width: number): (stack: Stack) => Stack {
  if (registers === 0) return (stack) => stack;
  const learned = parameter(
    'registers',
    [registers, width],
    { kind: 'normal', deviation: 1 },
    { decay: false },
  );
  return ({ states, excluded }) => ({
    states: add(pad(states, 1, 0, registers), pad(learned, 0, staticSize(states.shape[1]), 0)),
    excluded: cast(pad(cast(excluded, 'float32'), 1, 0, registers), 'bool'),
  });
}

export interface TransformerOptions {
  /** None by default. */
  readonly registers?: number;
}

const atLeastOne = (count: number): number => Math.max(1, Math.round(count));

/** The sizes of a layer that has a part of its heads and hidden units; a head is as wide as in the whole. */
function partBlock({ width, heads }: EncoderConfig, part: EncoderPart) {
  const attended = (width / heads) * part.heads;
  return {
    heads: part.heads,
    keyWidth: attended,
    valueWidth: attended,
    outputWidth: width,
    widening: part.hidden / width,
  };
}

/** The layer whose keys and values are the tokens as embedded; those above it are `layers.1`, `layers.2` and so on. */
const FIRST_LAYER = 'first_layer';

/**
 * The transformer encoder of SMA (Vaswani et al., 2017; Xie et al., ICLR 2024): pre-norm layers, but the keys and values
 * of the first are the tokens as embedded, which have a layer norm of their own. Hidden tokens are chosen from the first
 * layer's attention map over all tokens; then that layer and the others are computed for the visible tokens alone, as in
 * He et al., CVPR 2022, so no state has seen a hidden one: the authors compute the first layer of all tokens and drop the
 * hidden ones after it, with the same result. Registers (Darcet et al., ICLR 2024) take part in the layers, not in that
 * map, and are no states.
 */
export const transformer: Encoder<TransformerOptions> = {
  options: {
    registers: {
      type: z.int().min(0).optional(),
      description: 'learned tokens that a transformer attends to and then discards',
      example: 1,
    },
  },
  defaults: (_spec, _sizes, { registers }) => ({ ...(registers !== undefined && { registers }) }),
  partOf: ({ layers, heads, widening, width }, share) =>
    layers < 2
      ? undefined
      : {
          layers: atLeastOne(share * (layers - 1)),
          heads: atLeastOne(share * heads),
          hidden: atLeastOne(share * widening * width),
        },
  attentionMap: ({ heads }, tokens) => ({ heads, queries: tokens, tokensAsk: true }),
  encode(spec, tokens, config, { hiding, readable, part, ...options } = {}) {
    if (hiding && readable) throw new Error('transformer: tokens are hidden or readable, not both');
    const { embedded, embedAt, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
    return scope('encoder', () => {
      const { width, embed_width: embedWidth, registers = 0 } = config;
      const input = embedWidth === width ? (x: Value) => x : linearOf('input', embedWidth, width);
      const withRegisters = registersOf(registers, width);
      const { dropout } = options;
      const block = { heads: config.heads, widening: config.widening, dropout };
      let unreadable: Value = tokens.padding;
      let stack: Stack = { states: input(embedded), excluded: unattended(tokens, readable) };
      if (hiding) {
        const states = attentionBlock(FIRST_LAYER, stopGradient(stack.states), {
          ...block,
          normalizesSource: false,
          excluded: tokens.padding,
          narrow: (attention) => {
            const hidden = logicalOr(tokens.padding, hiding.choose(attention));
            const visible = readableTokens(hidden, tokens, hiding.visible);
            unreadable = visible.missing;
            stack = withRegisters({ states: input(embedAt(visible.positions)), excluded: unreadable });
            return stack;
          },
        });
        stack = { ...stack, states };
      } else {
        stack = withRegisters(stack);
        const { states, excluded } = stack;
        stack = {
          states: attentionBlock(FIRST_LAYER, states, { ...block, excluded, normalizesSource: false }),
          excluded,
        };
      }
      const upper = part ? { ...block, ...partBlock(config, part) } : block;
      for (let layer = 1; layer <= (part?.layers ?? config.layers - 1); layer++) {
        const { states, excluded } = stack;
        stack = {
          states: attentionBlock(`layers.${layer}`, states, { ...upper, excluded, dropPath: true }),
          excluded,
        };
      }
      const states =
        registers === 0 ? stack.states : slice(stack.states, 1, 0, staticSize(unreadable.shape[1]));
      const pooled = meanOf(states, readableOf(unreadable));
      const tokenStates = hiding ? undefined : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table, dropout };
    });
  },
};
