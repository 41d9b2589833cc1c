import { describe, expect, it } from 'vitest';
import { evaluate, floats, largestDifference, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { layerNorm } from './layer-norm.js';
import { linear } from './linear.js';
import { mlp } from './mlp.js';

const engine = await nodeEngine({ threads: 1 });
const x = g.input('x', 'float32', [3, 4]);
const values = normals('x', 12, 3);
const feeds = { x: floats([3, 4], values) };

describe('layer normalisation', () => {
  it.each([1e-5, 1e-12])(
    'gives each row mean 0 and variance 1, then scale and bias (epsilon %s)',
    async (epsilon) => {
      const y = layerNorm('norm', x, { epsilon });
      const parameters = ordinaryParameters([y]);
      const expected = Array.from(values, (value, i) => {
        const row = values.subarray(i - (i % 4), i - (i % 4) + 4);
        const mean = row.reduce((a, b) => a + b) / 4;
        const variance = row.reduce((sum, b) => sum + (b - mean) ** 2, 0) / 4;
        const normalized = (value - mean) / Math.sqrt(variance + epsilon);
        return normalized * parameters['norm.scale'].data[i % 4] + parameters['norm.bias'].data[i % 4];
      });
      const computed = await evaluate(engine, { y }, { ...feeds, ...parameters });
      expect(largestDifference(computed.y, expected)).toBeLessThan(2e-6);
    },
  );

  it('starts as the identity on normalised rows, and is not decayed', () => {
    const nodes = g.parametersOf([layerNorm('norm', x)]);
    expect(nodes.map(({ name, initializer, decay }) => ({ name, initializer, decay }))).toEqual([
      { name: 'norm.scale', initializer: { kind: 'constant', value: 1 }, decay: false },
      { name: 'norm.bias', initializer: { kind: 'constant', value: 0 }, decay: false },
    ]);
  });
});

describe('linear and MLP', () => {
  it('are x · W + b, and contract(GELU(expand(x)))', async () => {
    const [affine, deep] = [linear('affine', x, 2), mlp('mlp', x, 3)];
    const parameters = ordinaryParameters([affine, deep]);
    const times = (rows: number[][], name: string) => {
      const { shape, data } = parameters[name];
      return rows.map((row) =>
        Array.from({ length: shape[1] }, (_, column) =>
          row.reduce((sum, value, i) => sum + value * data[i * shape[1] + column], 0),
        ),
      );
    };
    const rows = [0, 1, 2].map((row) => Array.from(values.subarray(4 * row, 4 * row + 4)));
    const computed = await evaluate(engine, { affine, deep }, { ...feeds, ...parameters });
    const expected = times(rows, 'affine.weight').flatMap((row) =>
      row.map((value, column) => value + parameters['affine.bias'].data[column]),
    );
    expect(largestDifference(computed.affine, expected)).toBeLessThan(1e-5);
    const inner = times(rows, 'mlp.expand.weight').map((row) => row.map(gelu));
    expect(largestDifference(computed.deep, times(inner, 'mlp.contract.weight').flat())).toBeLessThan(1e-4);
  });
});

/** x Φ(x), by summing the normal density. */
function gelu(value: number): number {
  const steps = 2000;
  let integral = 0;
  for (let i = 0; i < steps; i++) integral += Math.exp(-0.5 * ((value * (i + 0.5)) / steps) ** 2);
  return value * (0.5 + ((value / steps) * integral) / Math.sqrt(2 * Math.PI));
}
