import { z } from 'zod';
import { InputError } from '../errors.js';
import { logicalNot, logicalOr, type Value } from '../graph/index.js';
import type { Dropout } from '../layers/dropout.js';
import type { Tokens } from '../layers/token-embedding.js';
import type { OptionsOf } from '../options.js';
import type { TokenSpec } from '../records/token-block.js';

/** What every encoder has, whether it uses it or not, by the names of the configuration. */
export interface EncoderSizes {
  /** Channels of the states. */
  readonly width: number;
  /** Channels of the embedded tokens. */
  readonly embed_width: number;
  /** Layers of the stack, or residual blocks. */
  readonly layers: number;
  /** Heads of self-attention; objectives follow them in networks of their own. */
  readonly heads: number;
  /** Inner width of a layer's MLP, as a multiple of `width`. */
  readonly widening: number;
}

export interface EncoderConfig extends EncoderSizes {
  readonly kind: string;
}

const count = () => z.int().min(1);

/** The declarations of {@link EncoderSizes}. */
export const encoderSizes: OptionsOf<EncoderSizes> = {
  width: { type: count(), description: 'channels of the states that the encoder gives', example: 256 },
  embed_width: { type: count(), description: 'width of the embedded input tokens', example: 128 },
  layers: { type: count().max(1000), description: 'layers of the stack, or residual blocks', example: 4 },
  heads: { type: count(), description: 'heads of self-attention', example: 8 },
  widening: {
    type: count(),
    description: 'hidden width of a feed-forward layer as a multiple of its width',
    example: 4,
  },
};

/** What an encoder makes of a batch. */
export interface Encoding {
  /** float32[batch, tokens, embed_width]: all tokens as embedded. */
  readonly embedded: Value;
  /** float32[batch, n, width]: latents, one state per token that is not hidden, or per place of a feature map. */
  readonly states: Value;
  /** float32[batch, tokens, width]: one state for each token in order, where the encoder has such and nothing is hidden. */
  readonly tokenStates?: Value;
  /** bool[batch, n]: states that stand for nothing visible and must not be read; none if undefined. */
  readonly unreadable?: Value;
  /** float32[batch, width]: the mean of the readable states. */
  readonly pooled: Value;
  /** float32[tokens, embed_width]: what stands for each position of the batch. */
  readonly positions: Value;
  /** float32[vocabulary, embed_width], where tokens have ids. */
  readonly table?: Value;
  /** What those who read the states drop as well. */
  readonly dropout?: Dropout;
}

/** What an encoder's first attention map is: float32[batch, heads, queries, tokens]. */
export interface AttentionMap {
  readonly heads: number;
  readonly queries: number;
  /** Whether each token asks in a row of its own; otherwise the rows are those of latents, whatever a record's length. */
  readonly tokensAsk: boolean;
}

/** Tokens that are hidden from the encoder in the pass in which they are chosen. */
export interface Hiding {
  /**
   * Given the first attention map float32[batch, heads, queries, tokens], or undefined where the encoder has none, the
   * tokens to hide: bool[batch, tokens], true = hidden.
   */
  readonly choose: (attention: Value | undefined) => Value;
  /** The most tokens of any record that stay visible. */
  readonly visible: number;
}

/** How much of each kind there is in a part of an encoder, in the layers above the first. */
export interface EncoderPart {
  readonly layers: number;
  /** Of each of these layers, as the following. */
  readonly heads: number;
  /** Hidden units of the MLP. */
  readonly hidden: number;
}

/** How one pass of an encoder differs from the plain one. */
export interface EncodeOptions {
  readonly hiding?: Hiding;
  /**
   * Whether what is normalised by statistics of the batch takes those of this batch, as in training, or by default the
   * running ones, so that each row is encoded alone.
   */
  readonly training?: boolean;
  /** Whether a token is embedded with its position; by default it is. See `embedTokens` for what is left without. */
  readonly positions?: boolean;
  /** What is dropped, in training alone; not every encoder drops. */
  readonly dropout?: Dropout;
  /**
   * bool[batch, tokens], one at least in each row: the tokens that may be attended to. Each token keeps its own state,
   * where the encoder has such. Not together with `hiding`, nor for an encoder without attention.
   */
  readonly readable?: Value;
  /** The encoder with a part of its layers, heads and hidden units; see `Encoder.partOf`. */
  readonly part?: EncoderPart;
}

/** bool[batch, tokens]: the tokens that nothing attends to, padding and what is not readable. */
export const unattended = ({ padding }: Tokens, readable?: Value): Value =>
  readable ? logicalOr(padding, logicalNot(readable)) : padding;

/** Throws InputError where an encoder that does not attend is told what to attend to, or what attention is to drop. */
export function refuseAttention({ kind }: EncoderConfig, { readable, dropout }: EncodeOptions): void {
  if (dropout?.attention_dropout) {
    throw new InputError(
      `the encoder ${kind} does not attend, so there is no attention to drop; use --encoder perceiver, transformer or attentive-convolution, or leave out attention_dropout`,
    );
  }
  if (readable) {
    throw new InputError(
      `the encoder ${kind} does not attend, and the objective says which tokens to attend to; use --encoder perceiver, transformer or attentive-convolution, or another --objective`,
    );
  }
}

/** Throws InputError where an encoder that drops nothing is told to. */
export function refuseDropout({ kind }: EncoderConfig, { dropout }: EncodeOptions): void {
  if (!dropout) return;
  throw new InputError(
    `the encoder ${kind} drops nothing; use --encoder perceiver, transformer, convolution or attentive-convolution, or leave out attention_dropout, dropout and drop_path`,
  );
}

/** One way to make representations of tokens, with options `O` of its own. */
export interface Encoder<O extends object = object> {
  /** Its own configuration keys, beside those of {@link EncoderSizes}; none by default. */
  readonly options?: OptionsOf<O>;
  /** All own options of a run: those that were chosen, and for the rest what suits the tokens and the sizes. */
  defaults?(spec: TokenSpec, sizes: EncoderSizes, chosen: Partial<O>): O;
  /** Throws InputError for options that do not go together. */
  check?(config: EncoderConfig & O): void;
  /**
   * The states of tokens float32[batch, n, width] and what objectives need beside them. Throws InputError for options that
   * do not suit it.
   */
  encode(spec: TokenSpec, tokens: Tokens, config: EncoderConfig & O, options?: EncodeOptions): Encoding;
  /**
   * The sizes of a part with about this share of the layers above the first, of their heads and of their hidden units, one of each at least;
   * undefined where the encoder has no such layers. Its parameters have the names of the whole, `encoder.layers.1` and on.
   */
  partOf?(config: EncoderConfig & O, share: number): EncoderPart | undefined;
  /** The first attention map, for a batch of so many tokens; undefined where there is no such map. */
  attentionMap?(config: EncoderConfig & O, tokens: number): AttentionMap;
}
