import { describe, expect, it } from 'vitest';
import { type EncoderKind, encoderNamed, encoders } from '../encoders/index.js';
import { InputError } from '../errors.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { type ObjectiveKind, type ObjectiveOptions, objectiveOptions, objectives } from './index.js';
import { maskedObjectiveCases } from './masked-autoencoding.case.js';
import { objectiveCases, smallModel } from './objective.case.js';
import type { Objective } from './objective.js';

for (const kind of Object.keys(objectives) as ObjectiveKind[])
  objectiveCases(kind, (spec) => smallModel(spec, kind));
objectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));

for (const kind of ['sma', 'random-masking'] as const)
  maskedObjectiveCases(kind, (spec) => smallModel(spec, kind));
maskedObjectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));
const authorsOptions = { attention_heads: 'random-mix', mask_self: true, select_initial_ratio: 1 } as const;
maskedObjectiveCases('sma with the options of its authors on a transformer', (spec) =>
  smallModel(spec, 'sma', authorsOptions, 'transformer'),
);
objectiveCases('sma with the options of its authors on a transformer', (spec) =>
  smallModel(spec, 'sma', authorsOptions, 'transformer'),
);
maskedObjectiveCases('random-masking with an output layer of its own', (spec) =>
  smallModel(spec, 'random-masking', { tied_output: false }),
);
maskedObjectiveCases('group-masking', (spec) => smallModel(spec, 'group-masking'), { mixing: true });
const dropout = { attention_dropout: 0.2, dropout: 0.2, drop_path: 0.2 };
for (const [kind, encoder] of [
  ['sma', 'transformer'],
  ['random-masking', 'perceiver'],
  ['byol', 'transformer'],
] as const) {
  objectiveCases(`${kind} with dropout on the encoder ${encoder}`, (spec) => {
    const small = smallModel(spec, kind, {}, encoder);
    return { ...small, encoder: { ...small.encoder, layers: 2 }, dropout };
  });
}
for (const kind of ['convolution', 'residual-network'] as const) {
  objectiveCases(`random-masking on the encoder ${kind}`, (spec) =>
    smallModel(spec, 'random-masking', {}, kind),
  );
}
for (const kind of ['byol', 'simclr'] as const) {
  objectiveCases(`${kind} on the encoder residual-network`, (spec) =>
    smallModel(spec, kind, {}, 'residual-network'),
  );
}
objectiveCases('sma on the encoder attentive-convolution', (spec) =>
  smallModel(spec, 'sma', {}, 'attentive-convolution'),
);
objectiveCases('t-jepa on the states of tokens', (spec) => smallModel(spec, 't-jepa', {}, 'transformer'));

const spec = { kind: 'discrete', vocabulary: 5, maxTokens: 12 } as const;

/** What an objective that needs attention says to an encoder that does not attend. */
const needsAttention: Partial<Record<ObjectiveKind, (encoder: EncoderKind) => string>> = {
  sma: () =>
    "the objective sma hides what the encoder's first attention map attends to, and this encoder has no such map; use --encoder perceiver, transformer, attentive-convolution, or --objective random-masking",
  mp3: (encoder) =>
    `the encoder ${encoder} does not attend, and the objective says which tokens to attend to; use --encoder perceiver, transformer or attentive-convolution, or another --objective`,
};

it.each(Object.keys(objectives) as ObjectiveKind[])(
  '%s works with every encoder, or says which it needs',
  (objective) => {
    for (const kind of Object.keys(encoders) as EncoderKind[]) {
      const model = smallModel(spec, objective, {}, kind);
      const build = () => pretrainingGraph(model, batchShape(model, 2, spec.maxTokens));
      const refusal = encoderNamed(kind).attentionMap ? undefined : needsAttention[objective]?.(kind);
      if (refusal === undefined) expect(build().loss.shape).toEqual([]);
      else expect(build).toThrow(new InputError(refusal));
    }
  },
);

/** Of each option the ends of what it may be, and what is beyond them. */
const bounds: Record<keyof ObjectiveOptions, Record<'accepted' | 'refused', readonly unknown[]>> = {
  masking_ratio: { accepted: [0.01, 0.99], refused: [0, 1] },
  decoder_heads: { accepted: [1], refused: [0, 1.5] },
  tied_output: { accepted: [true, false], refused: [0, 1, 'true'] },
  per_query: { accepted: [1], refused: [0, 1.5] },
  attention_heads: { accepted: ['mean', 'random-mix'], refused: ['max', 2] },
  mask_self: { accepted: [true, false], refused: ['yes', 1] },
  select_initial_ratio: { accepted: [0, 1], refused: [-0.01, 1.01] },
  schedule_fraction: { accepted: [0, 1], refused: [-0.01, 1.01] },
  group_size: { accepted: [1], refused: [0, 1.5] },
  restart: { accepted: [0.01, 0.99], refused: [0, 1] },
  rounds: { accepted: [1, 9], refused: [0, 1.5] },
  distillation_weight: { accepted: [0], refused: [-0.01] },
  context_ratio: { accepted: [0.01, 1], refused: [0, 1.01] },
  context_min_ratio: { accepted: [0.01, 0.99], refused: [0, 1] },
  context_max_ratio: { accepted: [0.01, 0.99], refused: [0, 1] },
  target_min_ratio: { accepted: [0.01, 0.99], refused: [0, 1] },
  target_max_ratio: { accepted: [0.01, 0.99], refused: [0, 1] },
  target_masks: { accepted: [1], refused: [0, 1.5] },
  predictor_width: { accepted: [1], refused: [0, 1.5] },
  predictor_layers: { accepted: [1], refused: [0, 1.5] },
  target_momentum: { accepted: [0, 1], refused: [-0.01, 1.01] },
  drop_ratio: { accepted: [0, 0.99], refused: [-0.01, 1] },
  swap_ratio: { accepted: [0, 0.99], refused: [-0.01, 1] },
  noise_deviation: { accepted: [0], refused: [-0.01] },
  smallest_crop: { accepted: [0.01, 1], refused: [0, 1.01] },
  flip_probability: { accepted: [0, 1], refused: [-0.01, 1.01] },
  projector_width: { accepted: [1], refused: [0, 1.5] },
  projection_width: { accepted: [1], refused: [0, 1.5] },
  neighbors: { accepted: [1], refused: [0, 1.5] },
  mined_weight: { accepted: [0], refused: [-0.01] },
  mining_start: { accepted: [0, 1], refused: [-0.01, 1.01] },
  mining_ramp: { accepted: [0, 1], refused: [-0.01, 1.01] },
  views: { accepted: [2], refused: [1, 2.5] },
  temperature: { accepted: [0.01], refused: [0] },
  clusters: { accepted: [2], refused: [1, 2.5] },
  singular_value_weight: { accepted: [0], refused: [-0.01] },
  centroid_weight: { accepted: [0], refused: [-0.01] },
  diffusive_weight: { accepted: [0], refused: [-0.01] },
};

describe('the options of objectives', () => {
  it('have bounds, each of them', () => {
    expect(Object.keys(bounds).sort()).toEqual(Object.keys(objectiveOptions()).sort());
  });

  it.each(Object.entries<Objective>(objectives))(
    'of %s may be their example and go as far as their bounds, but not beyond',
    (_, { options }) => {
      for (const [name, { type, example }] of Object.entries(options)) {
        const { accepted, refused } = bounds[name as keyof ObjectiveOptions];
        const accepts = (value: unknown) => type.safeParse(value).success;
        expect(refused.length, name).toBeGreaterThan(0);
        for (const value of [example, ...accepted]) expect(accepts(value), `${name} ${value}`).toBe(true);
        for (const value of [...refused, Number.NaN, Number.POSITIVE_INFINITY, '1', null])
          expect(accepts(value), `${name} ${value}`).toBe(false);
      }
    },
  );
});
