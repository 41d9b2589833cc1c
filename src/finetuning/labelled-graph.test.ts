import { describe, expect, it } from 'vitest';
import { type EncoderKind, encoders } from '../encoders/index.js';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  ordinaryParameters,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { trackedOf } from '../graph/index.js';
import type { ModelConfig } from '../learning/model.js';
import type { TrainableGraph } from '../learning/trainer.js';
import type { LabelSpec } from '../scoring/labels.js';
import { expectGradient } from './gradient.case.js';
import { finetuningGraph } from './labelled-graph.js';

const engine = await nodeEngine({ threads: 1 });

const [SIZE, TOKENS, CLASSES, VOCABULARY] = [2, 5, 3, 7];
const labelSpec: LabelSpec = {
  task: 'per-token',
  columns: ['ss3'],
  targets: 1,
  outputs: CLASSES,
  classes: [['C', 'E', 'H']],
  reason: '',
};

const modelOf = (kind: EncoderKind): Pick<ModelConfig, 'spec' | 'encoder'> => ({
  spec: { kind: 'discrete', vocabulary: VOCABULARY, maxTokens: 8 },
  // As many latents as tokens, so that a state for each token cannot be told by counting.
  encoder: {
    kind,
    latents: TOKENS,
    width: 8,
    embed_width: 12,
    layers: 1,
    heads: 2,
    cross_heads: 1,
    widening: 2,
  },
});

/** The second record has three tokens; the rest of its row is padding. */
const ids = [2, 3, 4, 5, 6, 3, 2, 4, 0, 0];
const lengths = [5, 3];
const tokens = (own: readonly number[] = ids) => ({
  ids: integers([SIZE, TOKENS], own),
  lengths: integers([SIZE], lengths),
});

/** Whether the graph is another in training: it normalises by the batch. */
const usesTheBatch = ({ loss }: TrainableGraph): boolean => trackedOf([loss]).length > 0;

describe.each(['perceiver', 'transformer'] as const)('a head that asks once, on a %s', (kind) => {
  const binary: LabelSpec = {
    ...labelSpec,
    task: 'binary',
    columns: ['y'],
    outputs: 1,
    classes: [['0', '1']],
  };
  const graph = finetuningGraph({ ...modelOf(kind), head: 'attention' }, binary, SIZE, TOKENS);
  const labels = { labels: floats([SIZE, 1], [1, 0]), label_weights: floats([SIZE, 1], [1, 1]) };

  it('has the gradient of its finite difference, in every parameter', async () => {
    await expectGradient(engine, graph, { ...tokens(), ...labels });
  });

  it('does not read padding', async () => {
    const parameters = ordinaryParameters([graph.loss]);
    const { outputs } = graph.evaluation;
    const of = async (own?: readonly number[]) =>
      (await evaluate(engine, { outputs }, { ...tokens(own), ...parameters })).outputs;
    expect(await of([...ids.slice(0, 8), 5, 6])).toEqual(await of());
    expect(outputs.shape).toEqual([SIZE, 1]);
  });
});

describe.each(['perceiver', 'transformer'] as const)('dropout on a %s', (kind) => {
  const dropout = { attention_dropout: 0.2, dropout: 0.2, drop_path: 0.15 };
  const small = modelOf(kind);
  const model = { ...small, encoder: { ...small.encoder, layers: 3 }, dropout };
  const graph = finetuningGraph(model, labelSpec, SIZE, TOKENS);
  const plain = finetuningGraph({ ...model, dropout: {} }, labelSpec, SIZE, TOKENS);
  const parameters = ordinaryParameters([graph.loss]);
  const feeds = {
    ...tokens(),
    labels: floats([SIZE, TOKENS, 1], [0, 1, 2, 0, 1, 2, 2, 1, 0, 0]),
    label_weights: floats([SIZE, TOKENS, 1], [1, 1, 0, 1, 1, 1, 1, 1, 0, 0]),
  };
  const seeded = (a: number, b: number) => ({ ...feeds, dropout_seeds: integers([SIZE], [a, b]) });

  it('has the gradient of its finite difference, with what is dropped held', async () => {
    await expectGradient(engine, graph, seeded(5, -7));
  });

  it('follows from the number of each record, and is none in evaluation', async () => {
    const { loss } = graph;
    const at = async (a: number, b: number) =>
      (await evaluate(engine, { loss }, { ...seeded(a, b), ...parameters })).loss[0];
    expect(await at(5, -7)).toBe(await at(5, -7));
    expect(await at(6, -7)).not.toBe(await at(5, -7));
    const outputs = (of: TrainableGraph) =>
      evaluate(engine, { outputs: of.evaluation.outputs }, { ...tokens(), ...parameters });
    expect(await outputs(graph)).toEqual(await outputs(plain));
  });
});

describe.each(Object.keys(encoders) as EncoderKind[])('labels per token on a %s', (kind) => {
  const graph = finetuningGraph(modelOf(kind), labelSpec, SIZE, TOKENS);
  const { outputs } = graph.evaluation;
  const parameters = ordinaryParameters([graph.loss]);
  const labels = [0, 1, 2, 0, 1, 2, 2, 1, 0, 0];
  const weights = [1, 1, 0, 1, 1, 1, 1, 1, 0, 0];
  const labelFeeds = (own: readonly number[] = labels) => ({
    labels: floats([SIZE, TOKENS, 1], own),
    label_weights: floats([SIZE, TOKENS, 1], weights),
  });

  it('has one output per class for each token', async () => {
    expect(outputs.shape).toEqual([SIZE, TOKENS, CLASSES]);
    const before = (await evaluate(engine, { outputs }, { ...tokens(), ...parameters })).outputs;
    // Another letter in the second record changes nothing in the first, and padding nothing at all.
    const other = (
      await evaluate(engine, { outputs }, { ...tokens([...ids.slice(0, 5), 6, 2, 4, 1, 1]), ...parameters })
    ).outputs;
    const first = TOKENS * CLASSES;
    expect(largestDifference(other.slice(0, first), before.slice(0, first))).toBe(0);
    for (let token = 0; token < 3; token++) {
      const at = first + token * CLASSES;
      expect(
        largestDifference(other.slice(at, at + CLASSES), before.slice(at, at + CLASSES)),
      ).toBeGreaterThan(0);
    }
    const padded = (
      await evaluate(engine, { outputs }, { ...tokens([...ids.slice(0, 8), 5, 6]), ...parameters })
    ).outputs;
    expect(largestDifference(padded.slice(0, first + 9), before.slice(0, first + 9))).toBe(0);
  });

  // In training the outputs are others than those that are given here.
  it.skipIf(usesTheBatch(graph))(
    'has the mean cross-entropy of the labelled tokens as its loss',
    async () => {
      const feeds = { ...tokens(), ...parameters };
      const { loss, logits } = await evaluate(
        engine,
        { loss: graph.loss, logits: outputs },
        { ...feeds, ...labelFeeds() },
      );
      let sum = 0;
      weights.forEach((weight, token) => {
        const own = logits.slice(token * CLASSES, (token + 1) * CLASSES);
        const total = own.reduce((all, logit) => all + Math.exp(logit), 0);
        sum += weight * (Math.log(total) - own[labels[token]]);
      });
      expect(loss[0]).toBeCloseTo(sum / 7, 5);
      const turned = labels.map((label, token) => (weights[token] === 0 ? 2 - label : label));
      const again = await evaluate(engine, { loss: graph.loss }, { ...feeds, ...labelFeeds(turned) });
      expect(again.loss).toEqual(loss);
    },
  );

  it('has every parameter of its evaluation once', () => {
    const names = graph.parameters.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(Object.keys(ordinaryParameters([outputs]))));
    expect(trackedOf([outputs])).toEqual([]);
  });

  it('has the gradient of its finite difference', async () => {
    await expectGradient(engine, graph, { ...tokens(), ...labelFeeds() });
  });
});
