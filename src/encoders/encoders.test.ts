import { encoderCases } from './encoder.case.js';
import { type EncoderKind, encoders } from './index.js';

const sizes = { latents: 5, width: 8, embedWidth: 6, layers: 2, heads: 2, crossHeads: 2, widening: 2 };

for (const kind of Object.keys(encoders) as EncoderKind[])
  encoderCases(kind, encoders[kind], { kind, ...sizes });
encoderCases('transformer with registers', encoders.transformer, {
  kind: 'transformer',
  ...sizes,
  registers: 2,
});
