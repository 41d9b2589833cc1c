import { expect, it } from 'vitest';
import { evaluate, floats, largestDifference, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { bidirectionalLstm } from './bidirectional-lstm.js';
import type { EncoderConfig } from './encoder.js';

const engine = await nodeEngine({ threads: 1 });
const [COUNT, HALF, EMBED] = [5, 3, 4];
const spec = { kind: 'continuous', channels: 2, maxTokens: COUNT } as const;
const config: EncoderConfig = {
  kind: 'bidirectional-lstm',
  width: 2 * HALF,
  embed_width: EMBED,
  layers: 1,
  heads: 1,
  widening: 1,
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

it('computes the gates, the cell and the output of each step, to either side', async () => {
  const { embedded, states } = bidirectionalLstm.encode(spec, tokenInputs(spec, 1, COUNT), config);
  const parameters = ordinaryParameters([states]);
  const length = 4;
  const feeds = {
    values: floats([1, COUNT, 2], normals('values', 2 * COUNT)),
    lengths: { dtype: 'int32', shape: [1], data: Int32Array.of(length) },
  } as const;
  const found = await evaluate(engine, { embedded, states }, { ...feeds, ...parameters });
  const of = (name: string) => Array.from(parameters[`encoder.layers.0.${name}`].data, Number);
  const recurrent = of('recurrent');
  const forget = of('forget');
  for (const [direction, name] of ['forward', 'backward'].entries()) {
    const [weight, bias] = [of(`${name}.weight`), of(`${name}.bias`)];
    let [cell, output] = [new Array(HALF).fill(0), new Array(HALF).fill(0)];
    for (let step = 0; step < length; step++) {
      const token = direction === 0 ? step : length - 1 - step;
      const gate = (kind: number, i: number) => {
        const column = kind * HALF + i;
        let sum = bias[column];
        for (let j = 0; j < EMBED; j++)
          sum += found.embedded[token * EMBED + j] * weight[j * 4 * HALF + column];
        for (let j = 0; j < HALF; j++)
          sum += output[j] * recurrent[(direction * HALF + j) * 4 * HALF + column];
        return sum;
      };
      const next = cell.map(
        (before, i) => sigmoid(gate(3, i) + forget[i]) * before + sigmoid(gate(0, i)) * Math.tanh(gate(2, i)),
      );
      output = next.map((value, i) => sigmoid(gate(1, i)) * Math.tanh(value));
      cell = next;
      const first = token * 2 * HALF + direction * HALF;
      expect(largestDifference(found.states.slice(first, first + HALF), output)).toBeLessThan(1e-5);
    }
  }
});

it('refuses a width that has no half, and more steps than a program can hold', () => {
  expect(() => bidirectionalLstm.check!({ ...config, width: 7 })).toThrow('expected an even number');
  const long = { ...spec, maxTokens: 600 };
  const encode = () => bidirectionalLstm.encode(long, tokenInputs(long, 1, 600), { ...config, layers: 2 });
  expect(encode).toThrow(InputError);
  expect(encode).toThrow('2 layers of 600 tokens are 1200 steps');
});
