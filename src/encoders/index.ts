import type { Encoder } from './encoder.js';
import { perceiver } from './perceiver.js';
import { transformer } from './transformer.js';

/** Every encoder there is, by the name `encoder.kind` has. */
export const encoders = { perceiver, transformer } satisfies Record<string, Encoder>;

export type EncoderKind = keyof typeof encoders;
