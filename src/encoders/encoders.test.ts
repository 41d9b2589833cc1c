import { type EncoderTraits, encoderCases } from './encoder.case.js';
import { type EncoderKind, type EncoderSpec, encoderNamed, encoders } from './index.js';

const sizes = { latents: 5, width: 8, embed_width: 6, layers: 2, heads: 2, cross_heads: 2, widening: 2 };

const traits: Record<EncoderKind, EncoderTraits> = {
  perceiver: { readsOrder: false, drops: true },
  transformer: { readsOrder: false, drops: true },
  convolution: { readsOrder: true, drops: true },
  'attentive-convolution': { readsOrder: true, drops: true },
  'bidirectional-lstm': { readsOrder: true, drops: false },
  'residual-network': { readsOrder: true, drops: false },
};
for (const kind of Object.keys(encoders) as EncoderKind[])
  encoderCases(kind, encoderNamed(kind), { kind, ...sizes }, traits[kind]);
const registers: EncoderSpec = { kind: 'transformer', ...sizes, registers: 2 };
encoderCases('transformer with registers', encoderNamed('transformer'), registers, traits.transformer);
