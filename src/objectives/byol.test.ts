import { describe, expect, it } from 'vitest';
import { encoders } from '../encoders/index.js';
import { evaluate, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input, outerScope, sharingLeaves } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { packBatch } from '../records/batch.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { batchShape, type ModelConfig, pretrainingGraph } from '../training/model.js';
import { batchFeeds } from '../training/pretraining-loop.js';
import { byol } from './byol.js';
import { batchNormOver, project, stackedCopies } from './joint-embedding.js';
import { smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const ROWS = 4;

const kinds = ['discrete', 'fields', 'continuous'] as const;
const kindsAndEncoders = kinds.flatMap((kind) =>
  (['perceiver', 'transformer'] as const).map((encoder) => [kind, encoder] as const),
);

function modelOn(kind: (typeof kinds)[number], encoder: keyof typeof encoders = 'perceiver') {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const small = smallModel(spec, 'byol', { drop_ratio: 0.4 });
  const model: ModelConfig = { ...small, encoder: { ...small.encoder, kind: encoder } };
  const batch = packBatch(block, [1, 7, 3], ROWS, spec.maxTokens);
  const feeds = (step: number) =>
    batchFeeds(model, batch, { seed: 2, purpose: 'training', step, progress: 0 });
  return {
    spec,
    model,
    batch,
    feeds,
    graph: pretrainingGraph(model, batchShape(model, ROWS, spec.maxTokens)),
  };
}

describe('BYOL', () => {
  it.each(kindsAndEncoders)('has a target for all but the predictor: %s tokens, %s', (kind, encoder) => {
    const { graph } = modelOn(kind, encoder);
    const names = graph.parameters.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith('predictor.'))).toHaveLength(7);
    const targets = graph.targets.map(({ name }) => name.replace(/^target\./, ''));
    expect(targets.sort()).toEqual(names.filter((name) => !name.startsWith('predictor.')).sort());
  });

  it.each(kindsAndEncoders)(
    'predicts from each view what the target has of the other: %s tokens, %s',
    async (kind, encoder) => {
      const { spec, model, batch, feeds, graph } = modelOn(kind, encoder);
      const options = byol.defaults(spec, model.encoder, model.objective);
      const built = sharingLeaves(() => {
        const tokens = tokenInputs(spec, 2 * ROWS, spec.maxTokens, 'view_');
        const dropped = input('view_dropped', 'bool', [2 * ROWS, spec.maxTokens]);
        const normalize = batchNormOver(stackedCopies(input('rows', 'float32', [ROWS]), 2), true);
        const projected = () => {
          const hiding = { choose: () => dropped, visible: spec.maxTokens };
          const { pooled } = encoders[encoder].encode(spec, tokens, model.encoder, { hiding });
          return project('projector', pooled, options, normalize);
        };
        return {
          predicted: project('predictor', projected(), options, normalize),
          target: outerScope('target', projected),
        };
      });
      const parameters = ordinaryParameters([graph.loss]);
      const given = { ...parameters, ...feeds(0) };
      const vectors = await evaluate(engine, built, given);
      const { loss, weight } = await evaluate(engine, { loss: graph.loss, weight: graph.weight }, given);
      const width = options.projection_width;
      const distance = (a: number[], i: number, b: number[], j: number) => {
        const part = (values: number[], row: number) => values.slice(row * width, (row + 1) * width);
        const [u, v] = [part(a, i), part(b, j)];
        const dot = (p: number[], q: number[]) => p.reduce((sum, value, i) => sum + value * q[i], 0);
        return 2 - (2 * dot(u, v)) / Math.sqrt(dot(u, u) * dot(v, v));
      };
      let expected = 0;
      for (let row = 0; row < batch.rows; row++)
        expected +=
          (distance(vectors.predicted, row, vectors.target, ROWS + row) +
            distance(vectors.predicted, ROWS + row, vectors.target, row)) /
          batch.rows;
      expect(loss[0]).toBeCloseTo(expected, 4);
      expect(weight[0]).toBe(batch.rows);
    },
  );
});
