/** `npm run speed -- objectives` counts the passes of the encoder in the graph that is trained. */
import { describe, expect, it } from 'vitest';
import { add, parameter, parametersOf, type Value } from '../dist/graph/index.js';
import { batchShape, type ModelConfig, pretrainingGraph } from '../dist/learning/model.js';
import { type ObjectiveKind, objectives } from '../dist/objectives/index.js';
import type { Objective } from '../dist/objectives/objective.js';
import type { TokenSpec } from '../dist/records/token-block.js';
import { encoderPasses, passCounts } from '../speed/passes.mjs';

const SIZE = 4;
const spec: TokenSpec = { kind: 'discrete', vocabulary: 9, maxTokens: 10 };
const encoder: ModelConfig['encoder'] = {
  kind: 'transformer',
  latents: 0,
  width: 8,
  embed_width: 8,
  layers: 1,
  heads: 2,
  cross_heads: 1,
  widening: 2,
};

function graphOf(kind: ObjectiveKind) {
  const objective: Objective = objectives[kind];
  const model = { spec, encoder, objective: { kind, ...objective.defaults(spec, encoder, {}) } };
  return pretrainingGraph(model, batchShape(model, SIZE, spec.maxTokens));
}

/** Of each record of a batch, as docs/objectives.md tells them: with a gradient, without. */
const costs: Record<ObjectiveKind, [number, number]> = {
  sma: [1, 0],
  'random-masking': [1, 0],
  'group-masking': [1, 0],
  selfie: [1, 0],
  mp3: [1, 0],
  't-jepa': [1, 1],
  'self-distillation': [2, 1],
  byol: [2, 2],
  myow: [2, 3],
  msbreg: [3, 3],
  simclr: [2, 0],
  'g-simclr': [2, 0],
};

describe('the passes of the encoder', () => {
  it.each(Object.entries(costs))('of %s are those of its description', (kind, [backward, forward]) => {
    const passes = encoderPasses(graphOf(kind as ObjectiveKind));
    expect(passCounts(passes, SIZE)).toEqual({ backward, forward });
  });

  it.each(Object.keys(objectives) as ObjectiveKind[])(
    'of %s have a gradient by all of the encoder that they read, and by nothing else',
    (kind) => {
      const objective: Objective = objectives[kind];
      const passes = encoderPasses(graphOf(kind));
      expect(passes.some(({ backward }) => backward)).toBe(true);
      expect(passes.some(({ backward }) => !backward)).toBe(objective.momentum !== undefined);
      for (const { backward, program } of passes) {
        const read = parametersOf(Object.values(program.outputs)).map(({ name }) => name);
        const given = Object.keys(program.outputs);
        expect(given).toEqual(backward ? ['loss', ...given.slice(1)] : ['pooled']);
        expect(given.slice(1).sort()).toEqual(backward ? read.map((name) => `gradient.${name}`).sort() : []);
        for (const name of read)
          expect(name).toMatch(backward ? /^(encoder|embedding)\./ : /^target\.(encoder|embedding)\./);
      }
    },
  );

  it('leave out what the loss does not depend on', () => {
    const encodingOf = (name: string) => {
      const pooled: Value = parameter(name, [SIZE, 8], { kind: 'constant', value: 1 });
      return { embedded: pooled, states: add(pooled, pooled), pooled, positions: pooled };
    };
    const [used, unused] = [encodingOf('a'), encodingOf('b')];
    const graph = { loss: used.states, encodings: [used, unused], targets: [] };
    expect(passCounts(encoderPasses(graph), SIZE)).toEqual({ backward: 1, forward: 0 });
  });
});
