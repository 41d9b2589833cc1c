import { afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { floats } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import * as g from '../graph/index.js';
import { objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { GroupingContext, Objective } from '../objectives/objective.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { recordGroups } from './record-groups.js';

const inner = await nodeEngine({ threads: 1 });
const { tokenizer, block } = (await realRecords()).fields;
const model = smallModel(tokenizer.spec, 'byol');

/** An objective of the table that groups something, for the length of a test. */
const objective: Objective<never> = objectives.byol as unknown as Objective<never>;
afterEach(() => {
  delete objective.groups;
});

/** The engine, and how many of its programs are compiled and not yet freed. */
function countingEngine() {
  const open = { programs: 0, all: 0 };
  const engine: Engine = {
    async compile(program, options) {
      const { run, release } = await inner.compile(program, options);
      open.programs++;
      open.all++;
      return {
        run,
        async release() {
          open.programs--;
          await release();
        },
      };
    },
  };
  return { engine, open };
}

/** Two numbers, of which the first is fitted to what is fed; the second has no part in the loss. */
const fitted: Omit<Parameters<GroupingContext['train']>[0], 'steps'> = {
  build: () => {
    const number = () => g.parameter('number', [1], { kind: 'constant', value: 1 });
    const difference = g.subtract(number(), g.input('wanted', 'float32', [1]));
    return {
      loss: g.reshape(g.multiply(difference, difference), []),
      outputs: { found: g.add(number(), g.input('offset', 'float32', [1])) },
    };
  },
  feeds: (step: number) => ({ wanted: floats([1], [3 + step / 1000]) }),
  learningRate: 0.1,
};

const found = async (run: Awaited<ReturnType<GroupingContext['train']>>, offset: number) =>
  Number((await run({ offset: floats([1], [offset]) })).found.data[0]);

describe('the groups of records', () => {
  it('are none where the objective groups nothing, for which nothing is computed', async () => {
    const { engine, open } = countingEngine();
    expect(await recordGroups(engine, model, block, { seed: 1 })).toBeUndefined();
    expect(open.all).toBe(0);
  });

  it('are what the objective says of the records, the specification and the seed', async () => {
    let given: GroupingContext | undefined;
    objective.groups = async (options, context) => {
      expect(options).toBe(model.objective);
      given = context;
      return Int32Array.from({ length: block.count }, (_, record) => record % 3);
    };
    const groups = await recordGroups(inner, model, block, { seed: 8 });
    expect(groups).toEqual(Int32Array.from({ length: 16 }, (_, record) => record % 3));
    expect(given).toMatchObject({ spec: model.spec, block, seed: 8 });
  });

  it('may follow from a network that is trained, which is freed when they are found', async () => {
    const { engine, open } = countingEngine();
    const seen: number[] = [];
    const steps: number[] = [];
    objective.groups = async (_, { train }) => {
      for (const count of [1, 60]) {
        const run = await train({
          ...fitted,
          steps: count,
          feeds: (step) => {
            steps.push(step);
            return fitted.feeds(step);
          },
        });
        seen.push(await found(run, 0), await found(run, 10));
      }
      expect(open.programs).toBeGreaterThan(0);
      return new Int32Array(block.count);
    };
    await recordGroups(engine, model, block, { seed: 1 });
    const [one, , many, more] = seen;
    // The first step of AdamW is as long as the rate, but for a decay by a thousandth.
    expect(one).toBeCloseTo(1.1, 2);
    expect(Math.abs(many - 3)).toBeLessThan(0.2);
    expect(more - many).toBeCloseTo(10, 5);
    expect(steps).toEqual([0, ...Array.from({ length: 60 }, (_, step) => step)]);
    expect(open.programs).toBe(0);
  });

  it('have to be one for each record', async () => {
    objective.groups = async () => new Int32Array(3);
    await expect(recordGroups(inner, model, block, { seed: 1 })).rejects.toThrow(
      'byol: expected 16 groups, got 3',
    );
  });

  it('are none where the network diverges, which is said with another seed, and frees it', async () => {
    const { engine, open } = countingEngine();
    objective.groups = async (_, { train }) => {
      const feeds = (step: number) => ({ wanted: floats([1], [step === 2 ? Number.NaN : 1]) });
      await train({ ...fitted, steps: 5, feeds });
      return new Int32Array(block.count);
    };
    const failure = await recordGroups(engine, model, block, { seed: 6 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LacunaError);
    expect((failure as LacunaError).message).toBe(
      'byol: step 3 of the network that groups the records: the loss is not finite; try --seed 7',
    );
    expect(open.programs).toBe(0);
    objective.groups = (_, { train }) =>
      train({
        ...fitted,
        steps: 5,
        feeds: () => {
          throw new RangeError('no feeds');
        },
      }) as never;
    await expect(recordGroups(engine, model, block, { seed: 6 })).rejects.toThrow(RangeError);
  });

  it('are not waited for after a stop, whose reason is thrown', async () => {
    const stop = new AbortController();
    const steps: number[] = [];
    objective.groups = async (_, { train }) => {
      const feeds = (step: number) => {
        steps.push(step);
        if (step === 2) stop.abort(new Error('enough'));
        return fitted.feeds(step);
      };
      await train({ ...fitted, steps: 50, feeds });
      return new Int32Array(block.count);
    };
    const stopped = recordGroups(inner, model, block, { seed: 1, signal: stop.signal });
    await expect(stopped).rejects.toThrow('enough');
    expect(steps).toEqual([0, 1, 2]);
  });
});
