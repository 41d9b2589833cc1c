import { convolution } from './convolution.js';
import type { Encoder } from './encoder.js';
import { perceiver } from './perceiver.js';
import { residualNetwork } from './residual-network.js';
import { transformer } from './transformer.js';

/** Every encoder there is, by the name `encoder.kind` has. */
export const encoders = {
  perceiver,
  transformer,
  convolution,
  'residual-network': residualNetwork,
} satisfies Record<string, Encoder>;

/** The names of all encoders. */
export type EncoderKind = keyof typeof encoders;

export {
  type Encode,
  type EncodeOptions,
  type Encoder,
  type EncoderConfig,
  type Encoding,
  type Hiding,
  refuseReadable,
  unattended,
} from './encoder.js';
export { readTokens } from './read-tokens.js';
