import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { parameter } from '../graph/index.js';
import type { ParameterNode } from '../graph/value.js';
import { hostTensor } from '../tensor/tensor.js';
import { initializeParameters, matchParameters, parameterLayout, parameterViews } from './parameters.js';

const node = (name: string, shape: number[], decay: boolean, deviation?: number) =>
  parameter(
    name,
    shape,
    deviation === undefined ? { kind: 'constant', value: 3 } : { kind: 'normal', deviation },
    { decay },
  ).node as ParameterNode;

const nodes = [
  node('norm', [4], false),
  node('weight', [20, 50], true, 0.02),
  node('table', [7, 2], false, 1),
  node('other', [5], true, 2),
];

describe('the layout of parameters', () => {
  const layout = parameterLayout(nodes);

  it('puts those with weight decay first, without gap or overlap', () => {
    expect(layout.slots.map(({ name, offset, length }) => [name, offset, length])).toEqual([
      ['weight', 0, 1000],
      ['other', 1000, 5],
      ['norm', 1005, 4],
      ['table', 1009, 14],
    ]);
    expect([layout.decayed, layout.length]).toEqual([1005, 1023]);
  });

  it('gives views that share the memory of the flat vector', () => {
    const flat = new Float32Array(layout.length);
    const views = parameterViews(layout, flat);
    views.table.data[13] = 9;
    expect(flat[1022]).toBe(9);
    expect(views.weight.shape).toEqual([20, 50]);
  });

  it('starts each parameter from its own stream, so that another one changes none', () => {
    const flat = initializeParameters(layout, 5);
    const alone = parameterLayout([nodes[2]]);
    expect(initializeParameters(alone, 5)).toEqual(flat.subarray(1009));
    expect(initializeParameters(layout, 5)).toEqual(flat);
    expect(initializeParameters(layout, 6)).not.toEqual(flat);
    expect([...flat.subarray(1005, 1009)]).toEqual([3, 3, 3, 3]);
    const weight = flat.subarray(0, 1000);
    const mean = weight.reduce((a, b) => a + b) / 1000;
    const deviation = Math.sqrt(weight.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 1000);
    expect(Math.abs(mean)).toBeLessThan(0.003);
    expect(Math.abs(deviation - 0.02)).toBeLessThan(0.002);
  });
});

describe('matchParameters', () => {
  const weight = hostTensor('float32', [2, 2], Float32Array.of(1, -2, 3, Number.NaN));
  const bias = hostTensor('float32', [1], Float32Array.of(5));
  const parameters = { 'encoder.layer.0.weight': weight, 'encoder.layer.0.bias': bias };
  const moments = { 'optimizer.first_moment.encoder.layer.0.weight': weight };
  const expected = [
    { name: 'encoder.layer.0.weight', shape: [2, 2] },
    { name: 'encoder.layer.0.bias', shape: [1] },
  ];

  it('accepts what fits, whatever the optimizer adds', () => {
    matchParameters(expected, { ...parameters, ...moments }, 'run');
  });

  it('lists every mismatch with both shapes', () => {
    const got = {
      'encoder.layer.0.weight': hostTensor('float32', [4], new Float32Array(4)),
      'head.weight': hostTensor('int32', [], new Int32Array(1)),
    };
    expect(() => matchParameters(expected, got, 'run')).toThrow(
      new InputError(
        'run: does not fit this configuration, 3 of its parameters differ: ' +
          'encoder.layer.0.weight: expected float32[2, 2], got float32[4]; ' +
          'encoder.layer.0.bias: expected float32[1], got nothing; ' +
          'head.weight: expected nothing, got int32[]',
      ),
    );
  });
});
