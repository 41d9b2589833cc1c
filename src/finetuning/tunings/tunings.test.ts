import { describe, expect, it } from 'vitest';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  ordinaryParameters,
} from '../../engine/evaluate.case.js';
import { nodeEngine } from '../../engine/node.js';
import * as g from '../../graph/index.js';
import { gradientName, gradientProgram } from '../../learning/model.js';
import { type ParameterLayout, parameterLayout, parameterViews } from '../../learning/parameters.js';
import { smallModel } from '../../objectives/objective.case.js';
import type { LabelSpec } from '../../scoring/labels.js';
import { expectGradient } from '../gradient.case.js';
import { type FinetunedModel, finetuningGraph, ofEncoder } from '../labelled-graph.js';
import { encoderNetwork } from '../labelled-training.js';
import { AUXILIARY, type TuningKind, tuned, tuningNamed, tunings } from './index.js';

const engine = await nodeEngine({ threads: 1 });
const [SIZE, TOKENS] = [3, 5];
const spec: LabelSpec = {
  task: 'binary',
  columns: ['y'],
  targets: 1,
  outputs: 1,
  classes: [['0', '1']],
  reason: '',
};
const { encoder } = smallModel(
  { kind: 'discrete', vocabulary: 7, maxTokens: 8 },
  'random-masking',
  {},
  'transformer',
);
const model: FinetunedModel = { spec: { kind: 'discrete', vocabulary: 7, maxTokens: 8 }, encoder };
const feeds = {
  ids: integers([SIZE, TOKENS], [2, 3, 4, 5, 6, 3, 2, 4, 0, 0, 6, 5, 4, 3, 0]),
  lengths: integers([SIZE], [5, 3, 4]),
  labels: floats([SIZE, 1], [1, 0, 1]),
  label_weights: floats([SIZE, 1], [1, 1, 1]),
};
const graphOf = (kind: TuningKind, options: object = {}) =>
  finetuningGraph(
    { ...model, tuning: { ...tuningNamed(kind).defaults, kind, ...options } },
    spec,
    SIZE,
    TOKENS,
  );
const outputsOf = async (graph: ReturnType<typeof graphOf>, parameters: object) =>
  (await evaluate(engine, { outputs: graph.evaluation.outputs }, { ...feeds, ...parameters })).outputs;

describe.each(Object.keys(tunings) as TuningKind[])('tuning %s', (kind) => {
  // With every entry in use a dictionary is a smooth function of them.
  const options = { lora: { lora_rank: 2 }, reprogramming: { dictionary_entries: 7 } };
  const graph = graphOf(kind, options[kind as keyof typeof options] ?? {});
  const moves = encoderNetwork({ ...model, tuning: { kind } }).moves!;

  it('has the gradient of its finite difference in what is trained, and none elsewhere', async () => {
    await expectGradient(engine, graph, feeds, (name) => !moves(name));
  });

  it('trains the head whole, and gives what the whole network gives before anything is trained', async () => {
    const names = graph.parameters.map(({ name }) => name);
    for (const name of names) if (!ofEncoder(name)) expect(moves(name)).toBe(true);
    const whole = graphOf('full');
    expect(names.filter((name) => !name.startsWith(AUXILIARY)).sort()).toEqual(
      whole.parameters.map(({ name }) => name).sort(),
    );
    const parameters = ordinaryParameters([graph.loss]);
    for (const { name, initializer } of graph.parameters)
      if (name.startsWith(AUXILIARY) && initializer.kind === 'constant') parameters[name].data.fill(0);
    expect(await outputsOf(graph, parameters)).toEqual(await outputsOf(whole, parameters));
  });
});

describe('what is trained beside parameters', () => {
  it.each([
    ['reprogramming', { dictionary_entries: 2 }],
    ['projection', {}],
  ] as const)('%s merges into an ordinary network with the same outputs', async (kind, options) => {
    const graph = graphOf(kind, options);
    const merged = ordinaryParameters([graph.loss]);
    const before = await outputsOf(graph, merged);
    tuningNamed(kind).merge!(merged, options);
    expect(largestDifference(await outputsOf(graphOf('full'), merged), before)).toBeLessThan(1e-5);
    expect(await outputsOf(graph, merged)).toEqual(await outputsOf(graphOf('full'), merged));
  });
});

describe('a sparse dictionary', () => {
  const name = `${AUXILIARY}dictionary`;
  const sparse = graphOf('reprogramming', { dictionary_entries: 2 });

  it('uses the largest entries of a row, and hears of all: ∂S = ∂E′ Eᵀ, whatever is used', async () => {
    const parameters = ordinaryParameters([sparse.loss]);
    // The same with what is not used at 0, and all of it in use.
    const used = structuredClone(parameters);
    const { data } = used[name];
    for (let token = 0; token < 7; token++) {
      const row = data.subarray(7 * token, 7 * token + 7);
      const least = [...row].map(Math.abs).sort((a, b) => b - a)[1];
      row.forEach((value, i) => {
        if (Math.abs(value) < least) row[i] = 0;
      });
    }
    const dense = graphOf('reprogramming', { dictionary_entries: 7 });
    expect(await outputsOf(sparse, parameters)).toEqual(await outputsOf(dense, used));
    const slopeOf = async (graph: typeof sparse, given: object) => {
      const { outputs } = gradientProgram('gradient', graph.loss, graph.parameters, {});
      return (await evaluate(engine, outputs, { ...feeds, ...given }))[gradientName(name)];
    };
    const slope = await slopeOf(sparse, parameters);
    expect(slope).toEqual(await slopeOf(dense, used));
    // A letter that no record has hears nothing, and every other of each entry.
    for (let token = 0; token < 7; token++)
      expect(
        Array.from(slope)
          .slice(7 * token, 7 * token + 7)
          .every((value) => value !== 0),
      ).toBe(feeds.ids.data.some((id, i) => id === token && i !== 8 && i !== 9 && i !== 14));
  });

  it('refuses more entries than there are tokens', () => {
    expect(() => graphOf('reprogramming', { dictionary_entries: 8 })).toThrow(
      'finetune.dictionary_entries: expected at most 7',
    );
  });
});

describe('low-rank adaptation', () => {
  const graph = graphOf('lora', { lora_rank: 2 });
  const parameters = ordinaryParameters([graph.loss]);
  const factors = Object.keys(parameters).filter((name) => name.startsWith(`${AUXILIARY}down.`));

  it('has factors of each linear layer, whose gradients are those of the weights: ∂A = 2 ∂W Bᵀ and ∂B = 2 Aᵀ ∂W', async () => {
    const layers = encoder.layers;
    expect(factors).toHaveLength(6 * layers + factors.filter((name) => /input/.test(name)).length);
    // W + 2 A B in the place of W: the gradient of the weights themselves.
    const merged = structuredClone(parameters);
    tuningNamed('lora').merge!(merged, { lora_rank: 2 });
    const [low, whole] = await Promise.all(
      [graph, graphOf('full')].map((own) =>
        evaluate(engine, gradientProgram('gradient', own.loss, own.parameters, {}).outputs, {
          ...feeds,
          ...(own === graph ? parameters : merged),
        }),
      ),
    );
    for (const down of factors) {
      const name = down.slice(`${AUXILIARY}down.`.length);
      const up = `${AUXILIARY}up.${name}`;
      const [inputs, width] = parameters[name].shape;
      const slope = whole[gradientName(name)];
      const [a, b] = [parameters[down].data, parameters[up].data];
      const sum = (count: number, of: (k: number) => number) =>
        Array.from({ length: count }, (_, k) => of(k)).reduce((total, value) => total + value, 0);
      const byDown = Array.from(a, (_, at) => {
        const [row, k] = [Math.floor(at / 2), at % 2];
        return 2 * sum(width, (column) => slope[row * width + column] * b[k * width + column]);
      });
      const byUp = Array.from(b, (_, at) => {
        const [k, column] = [Math.floor(at / width), at % width];
        return 2 * sum(inputs, (row) => a[row * 2 + k] * slope[row * width + column]);
      });
      expect(largestDifference(low[gradientName(down)], byDown), down).toBeLessThan(1e-5);
      expect(largestDifference(low[gradientName(up)], byUp), up).toBeLessThan(1e-5);
    }
  });

  it('merges into ordinary weights: W + 2 A B, with no change of the outputs', async () => {
    const layout: ParameterLayout = parameterLayout(graph.parameters);
    const flat = new Float32Array(layout.length);
    const merged = parameterViews(layout, flat);
    for (const [name, { data }] of Object.entries(parameters)) merged[name].data.set(data);
    const before = await outputsOf(graph, merged);
    encoderNetwork({ ...model, tuning: { kind: 'lora', lora_rank: 2 } }).merge!(merged);
    expect(largestDifference(await outputsOf(graphOf('full'), merged), before)).toBeLessThan(1e-5);
    expect(await outputsOf(graph, merged)).toEqual(await outputsOf(graphOf('full'), merged));
    const again = flat.slice();
    encoderNetwork({ ...model, tuning: { kind: 'lora', lora_rank: 2 } }).merge!(merged);
    expect(flat).toEqual(again);
  });

  it('refuses a rank that is none, and an encoder without linear layers', () => {
    expect(() => graphOf('lora', { lora_rank: 1000 })).toThrow('finetune.lora_rank: expected at most');
    const table = g.parameter('encoder.table', [4], { kind: 'constant', value: 1 });
    const build = () => tuned([table], { kind: 'lora', lora_rank: 2 }, ofEncoder);
    expect(build).toThrow('finetune.tuning: this encoder has nothing that lora adapts');
  });
});
