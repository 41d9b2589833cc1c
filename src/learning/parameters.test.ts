import { describe, expect, it } from 'vitest';
import { parameter } from '../graph/index.js';
import type { ParameterNode } from '../graph/value.js';
import { initializeParameters, parameterLayout, parameterViews } from './parameters.js';

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
