import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, floats, integers } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { binaryCrossEntropy, crossEntropy, squaredError, weightedMean } from './losses.js';

const engine = await nodeEngine({ threads: 1 });

describe('cross-entropy', () => {
  it('is minus the log of the share that softmax gives the target', async () => {
    const logits = g.input('logits', 'float32', [2, 3]);
    const loss = crossEntropy(logits, g.input('targets', 'int32', [2]));
    const { y } = await evaluate(
      engine,
      { y: loss },
      { logits: floats([2, 3], [1, 2, 3, 0, 0, 0]), targets: integers([2], [2, 1]) },
    );
    expect(y[0]).toBeCloseTo(-Math.log(Math.exp(3) / (Math.exp(1) + Math.exp(2) + Math.exp(3))), 6);
    expect(y[1]).toBeCloseTo(Math.log(3), 6);
  });

  it('and its gradient, softmax minus one-hot, are finite for logits of any size', async () => {
    const logits = g.input('logits', 'float32', [2, 2]);
    const loss = g.sumAll(crossEntropy(logits, g.input('targets', 'int32', [2])));
    const [gradient] = g.gradients(loss, [logits]);
    const { y, d } = await evaluate(
      engine,
      { y: loss, d: gradient },
      { logits: floats([2, 2], [1e4, -1e4, 1e4, -1e4]), targets: integers([2], [1, 0]) },
    );
    expect(y).toEqual([2e4]);
    expect(d).toEqual([1, -1, 0, 0]);
  });
});

describe('binary cross-entropy', () => {
  it('is -t log p - (1 - t) log(1 - p), with gradient p - t, also at logits of ±80', async () => {
    const cases = [
      [0, 0, Math.log(2)],
      [0, 1, Math.log(2)],
      [2, 1, Math.log(1 + Math.exp(-2))],
      [-3, 0.25, Math.log(1 + Math.exp(-3)) + 0.75],
      [80, 1, 0],
      [80, 0, 80],
      [-80, 1, 80],
      [-80, 0, 0],
    ];
    const n = cases.length;
    const logits = g.input('logits', 'float32', [n]);
    const loss = binaryCrossEntropy(logits, g.input('targets', 'float32', [n]));
    const [gradient] = g.gradients(g.sumAll(loss), [logits]);
    const column = (index: number) => cases.map((row) => row[index]);
    const { y, d } = await evaluate(
      engine,
      { y: loss, d: gradient },
      { logits: floats([n], column(0)), targets: floats([n], column(1)) },
    );
    cases.forEach(([logit, target, expected], i) => {
      expect(y[i]).toBeCloseTo(expected, 5);
      expect(d[i]).toBeCloseTo(1 / (1 + Math.exp(-logit)) - target, 6);
    });
  });
});

describe('squared error', () => {
  it('is the mean over channels', async () => {
    const a = g.input('a', 'float32', [2, 2]);
    const b = g.input('b', 'float32', [2, 2]);
    const { y } = await evaluate(
      engine,
      { y: squaredError(a, b) },
      { a: floats([2, 2], [1, 2, 3, 4]), b: floats([2, 2], [1, 4, 0, 0]) },
    );
    expect(y).toEqual([2, 12.5]);
  });
});

const values = g.input('values', 'float32', [6]);
const weights = g.input('weights', 'float32', [6]);
const weighted = weightedMean(values, weights);
const [slope] = g.gradients(weighted.mean, [values]);
const executable = await engine.compile({ name: 'mean', outputs: { ...weighted, slope } });

describe('the weighted mean', () => {
  const meanOf = async (v: readonly number[], w: readonly number[]) => {
    const results = {
      mean: floats([], [0]),
      weight: floats([], [0]),
      slope: floats([6], new Array(6).fill(0)),
    };
    await executable.run({ values: floats([6], v), weights: floats([6], w) }, results);
    return {
      mean: Number(results.mean.data[0]),
      weight: Number(results.weight.data[0]),
      slope: Array.from(results.slope.data, Number),
    };
  };

  it('weights each value by its share', async () => {
    const number = fc.float({ min: -100, max: 100, noNaN: true });
    const weight = fc.constantFrom<number>(0, 0, 0.5, 1, 3);
    await fc.assert(
      fc.asyncProperty(
        fc.array(number, { minLength: 6, maxLength: 6 }),
        fc.array(weight, { minLength: 6, maxLength: 6 }),
        async (v, w) => {
          const total = w.reduce((a, b) => a + b);
          const result = await meanOf(v, w);
          const expected = total === 0 ? 0 : v.reduce((sum, x, i) => sum + x * w[i], 0) / total;
          expect(result.weight).toBeCloseTo(total, 5);
          expect(Math.abs(result.mean - expected)).toBeLessThan(1e-4);
          result.slope.forEach((d, i) => {
            expect(d).toBeCloseTo(total === 0 ? 0 : w[i] / total, 5);
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is 0 with gradient 0 where nothing counts', async () => {
    expect(await meanOf([5, 6, 7, 8, 9, 1e30], [0, 0, 0, 0, 0, 0])).toEqual({
      mean: 0,
      weight: 0,
      slope: [0, 0, 0, 0, 0, 0],
    });
  });
});
