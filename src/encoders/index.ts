import { mergeOptions } from '../options.js';
import { attentiveConvolution } from './attentive-convolution.js';
import { bidirectionalLstm } from './bidirectional-lstm.js';
import { convolution } from './convolution.js';
import { type Encoder, type EncoderConfig, type EncoderSizes, encoderSizes } from './encoder.js';
import { perceiver } from './perceiver.js';
import { residualNetwork } from './residual-network.js';
import { transformer } from './transformer.js';

/** Every encoder there is, by the name `encoder.kind` has. */
export const encoders = {
  perceiver,
  transformer,
  convolution,
  'attentive-convolution': attentiveConvolution,
  'bidirectional-lstm': bidirectionalLstm,
  'residual-network': residualNetwork,
} satisfies Record<string, Encoder>;

/** The names of all encoders. */
export type EncoderKind = keyof typeof encoders;

type OwnOptions<K extends EncoderKind> = (typeof encoders)[K] extends Encoder<infer O> ? O : never;

/** Encoders of plug-ins, by name, with their options: declare yours here to have a configuration checked. */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by who writes a plug-in
export interface PluginEncoders {}

/** An encoder and any of its options, as a configuration chooses them. */
export type EncoderChoice =
  | { [K in EncoderKind]: { readonly kind: K } & Partial<EncoderSizes & OwnOptions<K>> }[EncoderKind]
  // Which it is without a kind, the objective says.
  | ({ readonly kind?: undefined } & Partial<EncoderSizes> & EncoderOptions)
  | {
      [K in keyof PluginEncoders]: { readonly kind: K } & Partial<EncoderSizes & PluginEncoders[K]>;
    }[keyof PluginEncoders];

type Intersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void
  ? I
  : never;

/** The options of all encoders, any of which may be there. */
export type EncoderOptions = Intersection<{ [K in EncoderKind]: Partial<OwnOptions<K>> }[EncoderKind]>;

/** The encoder of a run: which, its sizes and its own options. */
export type EncoderSpec = EncoderConfig & EncoderOptions & { readonly kind: EncoderKind };

/** An encoder by its name, as shared code sees it. */
export const encoderNamed = (kind: EncoderKind): Encoder => encoders[kind];

/** The declarations of all keys of the section `encoder`. */
export const encoderOptions = () => ({
  ...encoderSizes,
  ...mergeOptions(
    Object.fromEntries(
      Object.entries<Encoder>(encoders).map(([kind, { options = {} }]) => [kind, { options }]),
    ),
    'encoder',
  ),
});

export {
  type AttentionMap,
  type EncodeOptions,
  type Encoder,
  type EncoderConfig,
  type EncoderPart,
  type EncoderSizes,
  type Encoding,
  encoderSizes,
  type Hiding,
  refuseAttention,
  refuseDropout,
  unattended,
} from './encoder.js';
export type { PerceiverOptions } from './perceiver.js';
export { readTokens } from './read-tokens.js';
export type { TransformerOptions } from './transformer.js';
