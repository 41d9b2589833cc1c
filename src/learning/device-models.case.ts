/** Every objective on every encoder and every kind of token, as far as they go together: for what must hold on any device. */
import { type EncoderKind, encoders } from '../encoders/index.js';
import { InputError } from '../errors.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives } from '../objectives/index.js';
import { onRealRecords, smallModel } from '../objectives/objective.case.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import type { ModelConfig } from './model.js';
import { pretrainingGraphFor } from './self-supervision.js';
import type { TrainableGraph } from './trainer.js';

/** Options that add to what is computed, of those objectives that have them. */
const MORE: ObjectiveOptions = {
  singular_value_weight: 0.1,
  diffusive_weight: 0.1,
  centroid_weight: 0.1,
  select_initial_ratio: 0.6,
};

/** What is dropped where the encoder drops anything. */
const DROPOUT = { attention_dropout: 0.1, dropout: 0.1, drop_path: 0.1 };

/** Records of a batch. */
export const ROWS = 4;

const real = await realRecords();

const kindsOf = <K extends string>(table: Record<K, unknown>) => Object.keys(table) as K[];

/** Names of all, `[objective, encoder, tokens]`, from the tables of the three. */
export const combinations = kindsOf<ObjectiveKind>(objectives).flatMap((objective) =>
  kindsOf<EncoderKind>(encoders).flatMap((encoder) =>
    kindsOf(real).map((tokens) => [objective, encoder, tokens] as const),
  ),
);

/** The model of a combination on its records, with dropout where the encoder has such; undefined where they do not go together. */
export function modelOnRecords([objective, encoder, tokens]: (typeof combinations)[number]) {
  for (const dropout of [DROPOUT, undefined]) {
    const found = onRealRecords(real[tokens], (spec): ModelConfig => {
      const small = smallModel(spec, objective, MORE, encoder);
      return dropout ? { ...small, dropout } : small;
    });
    const build = (length: number): TrainableGraph => pretrainingGraphFor(found.model, ROWS, length);
    try {
      build(found.spec.maxTokens);
      return { ...found, build };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  return undefined;
}
