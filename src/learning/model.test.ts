import { afterEach, describe, expect, it } from 'vitest';
import { evaluate, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import {
  gradients,
  mean,
  multiply,
  parametersOf,
  scope,
  sum,
  trackedOf,
  type Value,
} from '../graph/index.js';
import { reachableNodes } from '../graph/value.js';
import { tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import type { ByolOptions } from '../objectives/byol.js';
import { objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { Objective, ObjectiveInputs } from '../objectives/objective.js';
import { packBatch } from '../records/batch.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import {
  batchShape,
  encoderGraph,
  encoderLayout,
  gradientName,
  gradientProgram,
  pretrainingGraph,
  restartSteps,
} from './model.js';

const engine = await nodeEngine({ threads: 1 });
const { discrete } = await realRecords();
const { spec } = discrete.tokenizer;
const ROWS = 2;

/** An objective of the table that builds something else, for the length of a test. */
const objective: Objective<ByolOptions> = objectives.byol;
const { build, momentum } = objective;
afterEach(() => Object.assign(objective, { build, momentum }));

const size = (x: Value): Value => mean(sum(multiply(x, x), [1]), [0]);

/** The graph of an objective whose loss is what `loss` makes of its inputs. */
function graphOf(loss: (inputs: ObjectiveInputs) => Value) {
  objective.build = (_, inputs) => ({ loss: loss(inputs), weight: mean(inputs.rows, [0]) });
  const model = smallModel(spec, 'byol');
  return pretrainingGraph(model, batchShape(model, ROWS, spec.maxTokens));
}

const batchOf = (...records: number[]) => packBatch(discrete.block, records, records.length, spec.maxTokens);

describe('what an objective builds with', () => {
  it('is one encoder, on batches of any size', async () => {
    const { loss, encodings, parameters } = graphOf(({ encode }) => {
      const views = tokenInputs(spec, 2 * ROWS, spec.maxTokens, 'view_');
      encode();
      return size(encode({ tokens: views }).pooled);
    });
    const [own, viewed] = encodings;
    expect([own, viewed].map(({ pooled }) => pooled.shape[0])).toEqual([ROWS, 2 * ROWS]);
    const names = parameters.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const feeds = {
      ...ordinaryParameters([loss, own.pooled]),
      ...tokenFeeds(batchOf(3, 5)),
      ...tokenFeeds(batchOf(3, 5, 3, 5), 'view_'),
    };
    const { a, b } = await evaluate(engine, { a: own.pooled, b: viewed.pooled }, feeds);
    for (const [i, value] of b.entries()) expect(value).toBeCloseTo(a[i % a.length], 5);
  });

  it('has all of the encoder among its parameters, with no gradient where the loss depends on none', async () => {
    const { loss, parameters } = graphOf(({ encode }) => size(encode({ positions: false }).pooled));
    const positions = parameters.find(({ name }) => name === 'embedding.positions');
    const [slope] = gradients(loss, [positions!.outputs[0]]);
    const feeds = { ...ordinaryParameters([loss]), ...tokenFeeds(batchOf(3, 5)) };
    expect((await evaluate(engine, { slope }, feeds)).slope.every((value) => value === 0)).toBe(true);
  });

  it('is a target network too, by other names and without a gradient, wherever it is opened', async () => {
    const { loss, parameters, targets } = graphOf(({ encode, target }) => {
      const whole = scope('somewhere', () => target(() => encode()));
      const one = target(() => encode().pooled);
      return size(multiply(multiply(whole.pooled, one), encode().pooled));
    });
    expect(targets.every(({ name }) => name.startsWith('target.'))).toBe(true);
    const named = targets.map(({ name }) => name.replace(/^target\.(somewhere\.)?/, ''));
    expect(new Set(named)).toEqual(new Set(parameters.map(({ name }) => name)));
    const slopes = gradients(
      loss,
      targets.map(({ outputs: [value] }) => value),
    );
    const feeds = { ...ordinaryParameters([loss]), ...tokenFeeds(batchOf(3, 5)) };
    const computed = await evaluate(
      engine,
      Object.fromEntries(slopes.map((slope, i) => [`s${i}`, slope])),
      feeds,
    );
    expect(Object.values(computed).every((slope) => slope.every((value) => value === 0))).toBe(true);
    expect(parameters.some(({ name }) => name.includes('target'))).toBe(false);
  });

  it('are the noise that the objective declares, which rows are records, and the marginal, by their shapes', () => {
    let given: ObjectiveInputs | undefined;
    graphOf((inputs) => {
      given = inputs;
      return size(inputs.encode().pooled);
    });
    const model = smallModel(spec, 'byol');
    const declared = objectives.byol.noise(
      model.objective as never,
      spec,
      batchShape(model, ROWS, spec.maxTokens),
    );
    const { noise, rows, marginal } = given!;
    expect(Object.keys(noise)).toEqual(Object.keys(declared));
    for (const [name, { dtype, shape }] of Object.entries<{ dtype: string; shape: readonly number[] }>(
      declared,
    ))
      expect([noise[name].dtype, noise[name].shape]).toEqual([dtype, shape]);
    expect(rows.shape).toEqual([ROWS]);
    expect(marginal.shape).toEqual([spec.maxTokens, spec.kind === 'discrete' ? spec.vocabulary : 0]);
  });

  it('is a record of values of a target network too, of which some may be missing', () => {
    const { loss, targets } = graphOf(({ encode, target }) => {
      const { pooled, missing } = target((): { pooled: Value; missing: Value | undefined } => ({
        pooled: encode().pooled,
        missing: undefined,
      }));
      expect(missing).toBeUndefined();
      return size(multiply(pooled, encode().pooled));
    });
    expect(targets.length).toBeGreaterThan(0);
    const slopes = gradients(
      loss,
      targets.map(({ outputs: [value] }) => value),
    );
    // Nothing of a slope depends on anything: it is a constant 0.
    expect(parametersOf(slopes)).toEqual([]);
  });

  it('needs no momentum without a target network', () => {
    objective.momentum = undefined;
    expect(graphOf(({ encode }) => size(encode().pooled)).targets).toEqual([]);
  });

  it('needs a momentum for a target network', () => {
    objective.momentum = undefined;
    expect(() => graphOf(({ encode, target }) => size(target(() => encode().pooled)))).toThrow(
      'byol: a target network needs a momentum',
    );
  });
});

describe('the graph of a model', () => {
  const convolutional = smallModel(spec, 'random-masking', {}, 'residual-network');
  const shape = () => batchShape(convolutional, ROWS, spec.maxTokens);

  it('has an attention map as far as its encoder attends', () => {
    expect(shape()).toEqual({ size: ROWS, tokens: spec.maxTokens, width: 16 });
    const { attentionMap } = batchShape(smallModel(spec, 'sma'), ROWS, spec.maxTokens);
    expect(attentionMap).toEqual({ heads: 1, queries: 6, tokensAsk: false });
  });

  it('is that of training unless it is told otherwise: only then moments of the batch are followed', () => {
    expect(trackedOf([pretrainingGraph(convolutional, shape()).loss])).not.toEqual([]);
    expect(trackedOf([pretrainingGraph(convolutional, shape(), { training: true }).loss])).not.toEqual([]);
    expect(trackedOf([pretrainingGraph(convolutional, shape(), { training: false }).loss])).toEqual([]);
  });

  it('has an encoder whose layout is that of the encoder alone', () => {
    const { pooled } = encoderGraph(convolutional, ROWS, spec.maxTokens);
    const names = encoderLayout(convolutional).slots.map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(parametersOf([pooled]).map(({ name }) => name)));
    expect(names).toContain('encoder.stem_norm.running_mean');
  });
});

describe('the restarts of a run', () => {
  it('are the first steps at the shares that the objective says, if it does', () => {
    const model = smallModel(spec, 'self-distillation', { restart: 0.3 });
    expect([10, 11, 100].map((steps) => restartSteps(model, steps))).toEqual([[3], [4], [30]]);
    const thrice = smallModel(spec, 'self-distillation', { rounds: 3 });
    expect([12, 100].map((steps) => restartSteps(thrice, steps))).toEqual([
      [3, 6, 9],
      [25, 50, 75],
    ]);
    expect(restartSteps(smallModel(spec, 'byol'), 10)).toEqual([]);
  });
});

describe('a gradient program', () => {
  const model = smallModel(spec, 'random-masking', {}, 'transformer');
  const deep = { ...model, encoder: { ...model.encoder, layers: 12 } };
  /** How many nodes the layers of the stack and all else have. */
  const nodes = (options?: { recompute?: boolean }) => {
    const { loss, parameters } = pretrainingGraph(deep, batchShape(deep, ROWS, spec.maxTokens));
    const program = gradientProgram('gradient', loss, parameters, { again: loss }, options);
    const counts: Record<string, number> = {};
    for (const { scope } of reachableNodes(Object.values(program.outputs))) {
      const place = /^encoder\.layers\.\d+/.exec(scope)?.[0] ?? 'elsewhere';
      counts[place] = (counts[place] ?? 0) + 1;
    }
    return { program, counts, loss, parameters };
  };

  it('gives the loss, the outputs and a gradient for each parameter', () => {
    const { program, loss, parameters } = nodes();
    expect(program.name).toBe('gradient');
    expect(program.outputs.loss).toBe(loss);
    expect(program.outputs.again).toBe(loss);
    for (const { name, outputs } of parameters)
      expect(program.outputs[gradientName(name)].shape).toEqual(outputs[0].shape);
    expect(Object.keys(program.outputs)).toHaveLength(parameters.length + 2);
  });

  it('computes each layer of the stack above the first a second time where that is asked for, and nothing else', () => {
    const [kept, default_, again] = [nodes({ recompute: false }), nodes(), nodes({ recompute: true })];
    expect(default_.counts).toEqual(kept.counts);
    expect(Object.keys(kept.counts)).toHaveLength(12);
    for (const [place, count] of Object.entries(kept.counts)) {
      if (place === 'elsewhere') expect(again.counts[place]).toBe(count);
      else expect(again.counts[place], place).toBeGreaterThan(1.1 * count);
    }
  });
});
