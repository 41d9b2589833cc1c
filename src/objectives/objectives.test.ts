import { expect, it } from 'vitest';
import { type EncoderKind, encoders } from '../encoders/index.js';
import { InputError } from '../errors.js';
import { batchShape, pretrainingGraph } from '../training/model.js';
import { type ObjectiveKind, objectives } from './index.js';
import { maskedObjectiveCases } from './masked-autoencoding.case.js';
import { objectiveCases, smallModel } from './objective.case.js';

for (const kind of Object.keys(objectives) as ObjectiveKind[])
  objectiveCases(kind, (spec) => smallModel(spec, kind));
objectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));

for (const kind of ['sma', 'random-masking'] as const)
  maskedObjectiveCases(kind, (spec) => smallModel(spec, kind));
maskedObjectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));
maskedObjectiveCases('random-masking with an output layer of its own', (spec) =>
  smallModel(spec, 'random-masking', { tied_output: false }),
);
maskedObjectiveCases('group-masking', (spec) => smallModel(spec, 'group-masking'), { mixing: true });
for (const kind of ['convolution', 'residual-network'] as const) {
  objectiveCases(`random-masking on the encoder ${kind}`, (spec) =>
    smallModel(spec, 'random-masking', {}, kind),
  );
}
objectiveCases('t-jepa on the states of tokens', (spec) => smallModel(spec, 't-jepa', {}, 'transformer'));

const spec = { kind: 'discrete', vocabulary: 5, maxTokens: 12 } as const;

/** What an objective that needs attention says to an encoder that does not attend. */
const needsAttention: Partial<Record<ObjectiveKind, (encoder: EncoderKind) => string>> = {
  sma: () =>
    "the objective sma hides what the encoder's first attention map attends to, and this encoder has no such map; use --encoder perceiver or transformer, or --objective random-masking",
  mp3: (encoder) =>
    `the encoder ${encoder} does not attend, and the objective says which tokens to attend to; use --encoder perceiver or transformer, or another --objective`,
};

it.each(Object.keys(objectives) as ObjectiveKind[])(
  '%s works with every encoder, or says which it needs',
  (objective) => {
    for (const kind of Object.keys(encoders) as EncoderKind[]) {
      const model = smallModel(spec, objective, {}, kind);
      const build = () => pretrainingGraph(model, batchShape(model, 2, spec.maxTokens));
      const refusal = encoders[kind].attentionQueries ? undefined : needsAttention[objective]?.(kind);
      if (refusal === undefined) expect(build().loss.shape).toEqual([]);
      else expect(build).toThrow(new InputError(refusal));
    }
  },
);
