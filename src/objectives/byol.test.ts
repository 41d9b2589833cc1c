import { describe, expect, it } from 'vitest';
import { outerScope } from '../graph/index.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { exchangedDistance, lossAndVectors, RECORDS } from './joint-embedding.case.js';
import { batchNormOver, project, stackedCopies } from './joint-embedding.js';
import { smallModel } from './objective.case.js';

const real = await realRecords();

const kindsAndEncoders = (['discrete', 'fields', 'continuous'] as const).flatMap((kind) =>
  (['perceiver', 'transformer'] as const).map((encoder) => [kind, encoder] as const),
);

describe('BYOL', () => {
  it.each(kindsAndEncoders)('has a target for all but the predictor: %s tokens, %s', (kind, encoder) => {
    const { spec } = real[kind].tokenizer;
    const model = smallModel(spec, 'byol', {}, encoder);
    const graph = pretrainingGraph(model, batchShape(model, 4, spec.maxTokens));
    const names = graph.parameters.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith('predictor.'))).toHaveLength(7);
    const targets = graph.targets.map(({ name }) => name.replace(/^target\./, ''));
    expect(targets.sort()).toEqual(names.filter((name) => !name.startsWith('predictor.')).sort());
  });

  it.each(kindsAndEncoders)(
    'predicts from each view what the target has of the other: %s tokens, %s',
    async (kind, encoder) => {
      const { numbers, vectors } = await lossAndVectors(
        real[kind],
        { kind: 'byol', encoder },
        ({ options, rows, views }) => {
          const normalize = batchNormOver(stackedCopies(rows, 2), true);
          const projected = () => project('projector', views(2), options, normalize);
          return {
            predicted: project('predictor', projected(), options, normalize),
            targets: outerScope('target', projected),
          };
        },
      );
      expect(numbers.loss).toBeCloseTo(exchangedDistance(vectors.predicted, vectors.targets), 4);
      expect(numbers.weight).toBe(RECORDS);
    },
  );
});
