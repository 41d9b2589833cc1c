import { encoderCases } from './encoder.case.js';
import { type EncoderKind, type EncoderSpec, encoderNamed, encoders } from './index.js';

const sizes = { latents: 5, width: 8, embed_width: 6, layers: 2, heads: 2, cross_heads: 2, widening: 2 };

for (const kind of Object.keys(encoders) as EncoderKind[])
  encoderCases(kind, encoderNamed(kind), { kind, ...sizes });
const registers: EncoderSpec = { kind: 'transformer', ...sizes, registers: 2 };
encoderCases('transformer with registers', encoderNamed('transformer'), registers);
