import { afterEach, describe, expect, it } from 'vitest';
import { evaluate, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, mean, multiply, scope, sum, type Value } from '../graph/index.js';
import { tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import type { ByolOptions } from '../objectives/byol.js';
import { objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { Objective, ObjectiveInputs } from '../objectives/objective.js';
import { packBatch } from '../records/batch.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { batchShape, pretrainingGraph } from './model.js';

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

  it('needs a momentum for a target network', () => {
    objective.momentum = undefined;
    expect(() => graphOf(({ encode, target }) => size(target(() => encode().pooled)))).toThrow(
      'byol: a target network needs a momentum',
    );
  });
});
