import { InputError } from '../errors.js';
import { logicalNot, logicalOr, type Value } from '../graph/index.js';
import type { Tokens } from '../layers/token-embedding.js';
import type { TokenSpec } from '../records/token-block.js';

/** The sizes of an encoder; each kind reads those that it has a use for. */
export interface EncoderConfig {
  readonly kind: string;
  /** Learned latent vectors, where the encoder has any. */
  readonly latents: number;
  /** Channels of the states. */
  readonly width: number;
  /** Channels of the embedded tokens. */
  readonly embedWidth: number;
  /** Layers of the stack, or residual blocks. */
  readonly layers: number;
  /** Heads of each self-attention layer. */
  readonly heads: number;
  /** Heads of the first cross-attention, where there is one. */
  readonly crossHeads: number;
  /** Inner width of a layer's MLP, as a multiple of `width`. */
  readonly widening: number;
  /** Learned tokens that a transformer attends to beside those of the record, and then discards; none by default. */
  readonly registers?: number;
}

/** What an encoder makes of a batch. */
export interface Encoding {
  /** float32[batch, tokens, embedWidth]: all tokens as embedded. */
  readonly embedded: Value;
  /** float32[batch, n, width]: latents, one state per token that is not hidden, or per place of a feature map. */
  readonly states: Value;
  /** float32[batch, tokens, width]: one state for each token in order, where the encoder has such and nothing is hidden. */
  readonly tokenStates?: Value;
  /** bool[batch, n]: states that stand for nothing visible and must not be read; none if undefined. */
  readonly unreadable?: Value;
  /** float32[batch, width]: the mean of the readable states. */
  readonly pooled: Value;
  /** float32[tokens, embedWidth]: what stands for each position of the batch. */
  readonly positions: Value;
  /** float32[vocabulary, embedWidth], where tokens have ids. */
  readonly table?: Value;
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
  /**
   * bool[batch, tokens], one at least in each row: the tokens that may be attended to. Each token keeps its own state,
   * where the encoder has such. Not together with `hiding`, nor for an encoder without attention.
   */
  readonly readable?: Value;
}

/** bool[batch, tokens]: the tokens that nothing attends to, padding and what is not readable. */
export const unattended = ({ padding }: Tokens, readable?: Value): Value =>
  readable ? logicalOr(padding, logicalNot(readable)) : padding;

/** Throws InputError where an encoder that does not attend is told what to attend to. */
export function refuseReadable({ kind }: EncoderConfig, { readable }: EncodeOptions): void {
  if (readable) {
    throw new InputError(
      `the encoder ${kind} does not attend, and the objective says which tokens to attend to; use --encoder perceiver or transformer, or another --objective`,
    );
  }
}

/** Tokens into representations. */
export type Encode = (
  spec: TokenSpec,
  tokens: Tokens,
  config: EncoderConfig,
  options?: EncodeOptions,
) => Encoding;

/** One architecture, in the table of `index.ts`. */
export interface Encoder {
  readonly encode: Encode;
  /** How many rows the first attention map has, for a batch of so many tokens; undefined where there is no such map. */
  readonly attentionQueries?: (config: EncoderConfig, tokens: number) => number;
}
