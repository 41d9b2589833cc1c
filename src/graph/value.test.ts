import { describe, expect, it } from 'vitest';
import { evaluate, floats } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { linear } from '../layers/linear.js';
import { gradients } from './gradient.js';
import { add, multiply, sumAll } from './index.js';
import { input, outerScope, parameter, parametersOf, scope, sharingLeaves } from './value.js';

const zero = { kind: 'constant', value: 0 } as const;
const weight = (shape: number[] = [2]) => parameter('weight', shape, zero);

describe('parameters of one name', () => {
  it('are one where leaves are shared, by their full name', () => {
    const [a, b, other] = sharingLeaves(() => [
      scope('layer', () => weight()),
      scope('layer', () => weight()),
      weight(),
    ]);
    expect(b).toBe(a);
    expect(other).not.toBe(a);
    expect(parametersOf([a, b, other]).map(({ name }) => name)).toEqual(['layer.weight', 'weight']);
  });

  it('are two elsewhere, which is a mistake in one program', () => {
    const [a, b] = [weight(), weight()];
    expect(() => parametersOf([a, b])).toThrow('two parameters are named weight; share the value instead');
    const kept = sharingLeaves(() => weight());
    expect(weight()).not.toBe(kept);
    expect(sharingLeaves(() => weight())).not.toBe(kept);
  });

  it('are shared with what is built inside, and no longer after a failure', () => {
    expect(sharingLeaves(() => [weight(), sharingLeaves(() => weight())])).toSatisfy(([a, b]) => a === b);
    const failing = () =>
      sharingLeaves(() => {
        weight();
        throw new Error('stop');
      });
    expect(failing).toThrow('stop');
    expect(weight([3]).shape).toEqual([3]);
  });

  it('have one declaration', () => {
    const twice = (second: () => unknown) => () =>
      sharingLeaves(() => {
        weight();
        second();
      });
    expect(twice(() => weight([3]))).toThrow(
      /^parameter weight: is float32\[2\] .* already, not float32\[3\] /,
    );
    expect(twice(() => parameter('weight', [2], { kind: 'normal', deviation: 1 }))).toThrow('already');
    expect(twice(() => parameter('weight', [2], zero, { decay: false }))).toThrow('already');
    expect(twice(() => input('weight', 'float32', [2]))).not.toThrow();
  });

  it('have the sum of the gradients of their uses', async () => {
    const engine = await nodeEngine({ threads: 1 });
    const [x, y] = [input('x', 'float32', [1, 2]), input('y', 'float32', [1, 2])];
    const loss = sharingLeaves(() => {
      const outputs = [x, y].map((value) => linear('layer', value, 1, { bias: false }));
      return sumAll(multiply(outputs[0], outputs[1]));
    });
    const [node] = parametersOf([loss]);
    const [slope] = gradients(loss, [node.outputs[0]]);
    // (x · w)(y · w) → x (y · w) + y (x · w)
    const feeds = {
      x: floats([1, 2], [1, 2]),
      y: floats([1, 2], [3, -1]),
      'layer.weight': floats([2, 1], [2, 1]),
    };
    expect((await evaluate(engine, { slope }, feeds)).slope).toEqual([5 * 1 + 4 * 3, 5 * 2 + 4 * -1]);
  });
});

describe('inputs of one name', () => {
  it('are one where leaves are shared', () => {
    const [a, b] = sharingLeaves(() => [input('x', 'int32', [4]), input('x', 'int32', [4])]);
    expect(b).toBe(a);
    expect(() => sharingLeaves(() => add(input('x', 'float32', [4]), input('x', 'float32', [1])))).toThrow(
      'input x: is float32[4] {} already, not float32[1] {}; give one of them another name',
    );
  });
});

describe('an outer scope', () => {
  it('is the first part of names, wherever it is opened', () => {
    const value = scope('head', () => outerScope('target', () => scope('layer', () => weight())));
    expect(value.node).toMatchObject({ name: 'target.head.layer.weight', scope: 'target.head.layer' });
    expect(scope('head', () => weight()).node).toMatchObject({ name: 'head.weight' });
  });
});
